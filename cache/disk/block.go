package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// syncCheck in bytes is the largest amount that File checks while the caller waits,
// which takes about 20 ms. Larger amounts are checked in the background, and a later
// call of File succeeds.
const syncCheck = 64 << 20

// acquire returns the open files of a version with one more reference, or nil if the
// version is absent.
func (d *Cache) acquire(key, etag string, size int64) *file {
	f, err := d.open(key, etag, size, false)
	d.warn("opening a version", err)
	return f
}

// open is like acquire; it creates the files if create is set.
func (d *Cache) open(key, etag string, size int64, create bool) (*file, error) {
	if etag == "" || size == 0 {
		return nil, nil // no identity, or no bytes
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

// handle returns the open files with this name, if they are still valid.
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

// keep holds f open for later calls and closes the least recently used files instead.
// If two goroutines opened the same files, it keeps only the first.
func (d *Cache) keep(f *file) *file {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed || d.files[f.name] != nil {
		return f // release closes it
	}
	f.refs++
	d.files[f.name] = d.recent.PushFront(f)
	if d.recent.Len() > maxHandles {
		d.dropHandle(d.recent.Back().Value.(*file).name)
	}
	return f
}

// release drops a reference.
func (d *Cache) release(f *file) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.unref(f)
}

// unref drops a reference and closes the files with the last one. d.mu is held.
func (d *Cache) unref(f *file) {
	if f.refs--; f.refs == 0 {
		f.close()
	}
}

// dropHandle drops the cache's reference to the open files with this name. d.mu is held.
func (d *Cache) dropHandle(name string) {
	if e := d.files[name]; e != nil {
		delete(d.files, name)
		d.recent.Remove(e)
		d.unref(e.Value.(*file))
	}
}

// Run reports whether block index is present, and for how many consecutive blocks, at
// most n, the answer is the same.
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

// Read reads a block into p, which has the length of the block, and reports whether the
// block is present and its checksum matches. It removes a damaged version.
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

// Write stores a block, if there is room, and reports whether the block is present. It
// pauses for a while after an error of the disk.
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

// write implements Write. An error means that the disk is full or broken.
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
	case errors.Is(err, errPresent):
		return true, nil
	case errors.Is(err, errLost): // evicted, perhaps to make the room
		d.forget(f.name)
		return false, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return false, nil
	}
	d.discard(f.name)
	return false, fmt.Errorf("writing: %w", err)
}

// File returns a new descriptor of a file with the object's bytes, if all of them are
// present and checked, for FUSE passthrough. The bytes stay until it is closed and no
// longer mapped. The caller must not write to it.
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
	// The shared lock keeps eviction from removing parts of the file.
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

// whole reports whether all blocks of f are present and confirmed.
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

// check reads blocks to confirm them. It stops when the cache is closed.
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

// Move renames a version, as after a copy.
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

// rename gives the files another name. It writes the new header first, so that the
// files count as damaged in between and nobody uses them.
func (d *Cache) rename(f *file, from, to string, header []byte) error {
	if len(header) > headerSize {
		return errors.New("the names do not fit into the header")
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

// forget drops the open files of a version that has lost its name.
func (d *Cache) forget(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.dropHandle(name)
}

// sameFile reports whether two open files are the same file.
func sameFile(a, b *os.File) bool {
	x, errA := a.Stat()
	y, errB := b.Stat()
	return errA == nil && errB == nil && os.SameFile(x, y)
}
