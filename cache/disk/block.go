package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// syncCheck in bytes is how much of a file is checked before it is handed out
// while the caller waits: some 20 ms. Larger ones are checked in the background,
// and handed out the next time.
const syncCheck = 64 << 20

// acquire returns the open files of a version with a reference more; nil if
// there are none.
func (d *Cache) acquire(key, etag string, size int64) *file {
	f, err := d.open(key, etag, size, false)
	d.warn("opening a version", err)
	return f
}

// open is acquire; create makes the files if there are none.
func (d *Cache) open(key, etag string, size int64, create bool) (*file, error) {
	if etag == "" || size == 0 {
		return nil, nil // not an identity, or nothing to keep
	}
	name := d.nameOf(key, etag)
	if f := d.handle(name, size); f != nil {
		return f, nil
	}
	f, err := d.openFile(name, key, etag, size, create)
	if err != nil {
		return nil, fmt.Errorf("opening a version: %w", err)
	}
	return d.keep(f), nil
}

// handle returns the open files with this name, if they are still right.
func (d *Cache) handle(name string, size int64) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	e := d.files[name]
	if e == nil {
		return nil
	}
	f := e.Value.(*file)
	if at := now(); at-f.alive > aliveEvery {
		f.alive = at
		if f.lost() {
			d.dropHandle(name)
			return nil
		}
	}
	if f.size != size {
		return nil
	}
	d.recent.MoveToFront(e)
	f.refs++
	return f
}

// keep holds f open for the next time, instead of the least recently used. Of
// two goroutines that opened the same files, one's are kept.
func (d *Cache) keep(f *file) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.files[f.name] != nil {
		return f // closed by its release
	}
	f.refs++
	d.files[f.name] = d.recent.PushFront(f)
	if d.recent.Len() > maxHandles {
		d.dropHandle(d.recent.Back().Value.(*file).name)
	}
	return f
}

// release gives a reference back.
func (d *Cache) release(f *file) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unref(f)
}

// unref takes a reference away and closes the files with the last. d.mu is held.
func (d *Cache) unref(f *file) {
	if f.refs--; f.refs == 0 {
		f.close()
	}
}

// dropHandle lets go of the open files with this name. d.mu is held.
func (d *Cache) dropHandle(name string) {
	if e := d.files[name]; e != nil {
		delete(d.files, name)
		d.recent.Remove(e)
		d.unref(e.Value.(*file))
	}
}

// Run tells whether block index is there, and for how many blocks in a row, at
// most n, the same holds.
func (d *Cache) Run(key, etag string, size, index int64, n int) (there bool, run int) {
	f := d.acquire(key, etag, size)
	if f == nil {
		return false, n
	}
	defer d.release(f)
	for i := index; i < index+int64(n); {
		b, ok := readExtent(f.index, i/extentBlocks)
		if !ok {
			return false, n
		}
		records := b[8:]
		for ; i < index+int64(n); i++ {
			at := int(i % extentBlocks)
			_, ok := parseRecord(records[at*recordSize:])
			if i == index {
				there = ok
			}
			if ok != there {
				return there, int(i - index)
			}
			if at == extentBlocks-1 {
				i++
				break
			}
		}
	}
	return there, n
}

// Read reads a block into p, which is as long as the block, and tells whether
// its bytes are there and right. Of a damaged version nothing is kept.
func (d *Cache) Read(key, etag string, size, index int64, p []byte) (ok bool) {
	defer func() {
		if ok {
			d.hits.Add(1)
		} else {
			d.misses.Add(1)
		}
	}()
	f := d.acquire(key, etag, size)
	if f == nil {
		return false
	}
	defer d.release(f)
	err := f.read(index, p)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		d.warn("reading", err)
		d.discard(f.name)
	}
	return err == nil
}

// Write keeps a block, if there is room, and tells whether it is there. When the
// disk is in trouble it is left alone for a while.
func (d *Cache) Write(key, etag string, size, index int64, p []byte) (kept bool) {
	if d.resting() {
		return false
	}
	kept, err := d.write(key, etag, size, index, p)
	switch {
	case err != nil:
		d.rest(err)
	case kept:
		d.recovered()
	}
	return kept
}

// write is Write; an error means that the disk is full or broken.
func (d *Cache) write(key, etag string, size, index int64, p []byte) (kept bool, err error) {
	f, err := d.open(key, etag, size, true)
	if errors.Is(err, errLost) {
		return false, nil
	}
	if f == nil {
		return false, err
	}
	defer d.release(f)
	if _, ok := f.record(index); ok {
		return true, nil
	}
	if !d.reserve(onDisk(len(p))) {
		return false, errNoRoom
	}
	err = f.write(index, p)
	if err == nil {
		return true, nil
	}
	d.usage.bytes.Add(-onDisk(len(p)))
	switch {
	case errors.Is(err, errThere):
		return true, nil
	case errors.Is(err, errLost): // evicted, maybe to make the room
		d.forget(f.name)
		return false, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	}
	d.discard(f.name)
	return false, fmt.Errorf("writing: %w", err)
}

// File returns a file of its own with the object's bytes, if all of them are
// there and right: for FUSE passthrough. They stay until it is closed, and as long
// as it is mapped. It has to be read only.
func (d *Cache) File(key, etag string, size int64) *os.File {
	f := d.acquire(key, etag, size)
	if f == nil {
		return nil
	}
	out, err := d.root.Open(f.name + dataEnd)
	if err != nil {
		d.release(f)
		return nil
	}
	// From here on nothing is cut out of it.
	if flock(out, unix.LOCK_SH|unix.LOCK_NB) == nil && sameFile(out, f.data) && d.whole(f) &&
		out.Chmod(0o600|fs.ModeSticky) == nil { // see handedOut
		for e := range extents(f.size) {
			f.touch(e)
		}
		d.release(f)
		return out
	}
	_ = out.Close()
	d.release(f)
	return nil
}

// whole tells whether all blocks of f are there and confirmed.
func (d *Cache) whole(f *file) bool {
	var unsure []int64
	for i := range blockCount(f.size) {
		if _, ok := f.record(i); !ok {
			return false
		}
		if !f.confirmed(i) {
			unsure = append(unsure, i)
		}
	}
	if int64(len(unsure))*BlockSize <= syncCheck {
		return d.check(f, unsure)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.closed && !f.checking {
		f.refs++
		f.checking = true
		d.wg.Go(func() {
			d.check(f, unsure)
			d.mu.Lock()
			defer d.mu.Unlock()
			f.checking = false
			d.unref(f)
		})
	}
	return false
}

// check confirms blocks by reading them, until the disk is closed.
func (d *Cache) check(f *file, indices []int64) bool {
	p := make([]byte, BlockSize)
	for _, i := range indices {
		if d.isClosed() {
			return false
		}
		err := f.read(i, p[:min(BlockSize, f.size-i*BlockSize)])
		if err != nil {
			if !errors.Is(err, fs.ErrNotExist) {
				d.warn("checking", err)
				d.discard(f.name)
			}
			return false
		}
	}
	return true
}

func (d *Cache) isClosed() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.closed
}

// Move makes a version be found by another key and ETag, as after a copy.
func (d *Cache) Move(fromKey, fromETag, toKey, toETag string, size int64) {
	from, to := d.nameOf(fromKey, fromETag), d.nameOf(toKey, toETag)
	f := d.acquire(fromKey, fromETag, size)
	if f == nil || toETag == "" || from == to {
		if f != nil {
			d.release(f)
		}
		return
	}
	defer d.release(f)
	header := d.header(toKey, toETag, size)
	d.forget(from)
	d.forget(to)
	if err := d.rename(f, from, to, header); err != nil {
		d.warn("renaming a version", err)
		d.discard(from)
		d.discard(to)
	}
}

// rename gives the files another name, and a header that fits to it first: in
// between they are damaged, and so not used.
func (d *Cache) rename(f *file, from, to string, header []byte) error {
	if len(header) > headerSize {
		return errors.New("names do not fit")
	}
	making, err := d.makeAlone(true)
	if err != nil {
		return err
	}
	defer making.Close()
	d.discard(to)
	if err := d.root.Mkdir(to[:2], 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := f.index.WriteAt(slices.Concat(header, make([]byte, 8)), 0); err != nil {
		return err
	}
	if err := d.root.Rename(from+dataEnd, to+dataEnd); err != nil {
		return err
	}
	return d.root.Rename(from+indexEnd, to+indexEnd)
}

// Drop removes a version.
func (d *Cache) Drop(key, etag string) { d.discard(d.nameOf(key, etag)) }

// forget lets go of open files that have lost their name.
func (d *Cache) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropHandle(name)
}

// sameFile tells whether two open files are the same one.
func sameFile(a, b *os.File) bool {
	x, errA := a.Stat()
	y, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(x, y)
}
