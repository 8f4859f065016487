package disk

import (
	"cmp"
	"container/heap"
	"encoding/binary"
	"errors"
	"io"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	// maxVictims bounds the number of victims that one scan of all files returns. The
	// next scan finds more. Removing 16,384 small files takes a tenth of a second.
	maxVictims = 16 << 10
	// largeVersion in bytes is the size from which a version is evicted by extents and
	// not as a whole.
	largeVersion = 8 * extentSize
	// evictMore is the part of the cache (1/64) that is freed beyond the need, so that
	// not every block causes a scan of all files.
	evictMore = 64
)

// victim is a candidate for eviction: a version, or an extent of a large version.
type victim struct {
	name   string
	extent int64 // -1: the whole version
	used   int64 // the time of its last use, in nanoseconds
}

// victimHeap is a heap with the most recently used victim on top.
type victimHeap []victim

func (h victimHeap) Len() int           { return len(h) }
func (h victimHeap) Less(i, j int) bool { return h[i].used > h[j].used }
func (h victimHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *victimHeap) Push(x any)        { *h = append(*h, x.(victim)) }
func (h *victimHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// evict frees at least n bytes, if possible, starting with the least recently used.
func (d *Cache) evict(n int64) {
	d.evicting.Lock()
	defer d.evicting.Unlock()
	n += d.o.Size / evictMore
	before := d.usage.bytes.Load()
	for looked := false; before-d.usage.bytes.Load() < n; {
		if len(d.victims) == 0 {
			if looked {
				return // all of them are in use
			}
			d.victims, looked = d.scan(), true
			continue
		}
		v := d.victims[0]
		d.victims = d.victims[1:]
		d.evictOne(v)
	}
}

// scan returns the least recently used victims of all files, oldest first.
func (d *Cache) scan() []victim {
	var h victimHeap
	add := func(v victim) {
		heap.Push(&h, v)
		if len(h) > maxVictims {
			heap.Pop(&h)
		}
	}
	d.walk(func(name string, info fs.FileInfo) {
		index, err := d.root.Open(name + indexEnd)
		if err != nil {
			return
		}
		defer index.Close()
		if info.Size() < largeVersion {
			at, err := index.Stat()
			if err == nil {
				add(victim{name, -1, at.ModTime().UnixNano()})
			}
			return
		}
		for e := range extents(info.Size()) {
			if b, ok := readExtent(index, e); ok && present(b) > 0 {
				add(victim{name, e, lastUse(b)})
			}
		}
	})
	slices.SortFunc(h, func(a, b victim) int { return cmp.Compare(a.used, b.used) })
	return h
}

// walk calls f for each version, and removes foreign files from the folder.
func (d *Cache) walk(f func(name string, data fs.FileInfo)) {
	folder := d.root.FS()
	top, err := fs.ReadDir(folder, ".")
	d.warn("listing", err)
	var foreign []string
	for _, dir := range top {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			if !slices.Contains([]string{"lock", "usage", "create"}, dir.Name()) {
				foreign = append(foreign, dir.Name())
			}
			continue
		}
		entries, err := fs.ReadDir(folder, dir.Name())
		d.warn("listing", err)
		for _, e := range entries {
			path := dir.Name() + "/" + e.Name()
			name, isData := strings.CutSuffix(path, dataEnd)
			info, err := e.Info()
			switch {
			case err != nil: // it was removed
			case isData && d.isVersion(name, info):
				f(name, info)
			case isData || !d.isHalf(path):
				foreign = append(foreign, path)
			}
		}
	}
	d.removeForeign(foreign)
}

// isVersion reports whether data is a data file with a matching index.
func (d *Cache) isVersion(name string, data fs.FileInfo) bool {
	index, err := d.root.Lstat(name + indexEnd)
	return err == nil && data.Mode().IsRegular() && index.Mode().IsRegular() && index.Size() == indexSize(data.Size())
}

// isHalf reports whether path is an index with a data file.
func (d *Cache) isHalf(path string) bool {
	name, isIndex := strings.CutSuffix(path, indexEnd)
	return isIndex && d.exists(name+dataEnd)
}

// removeForeign removes files that do not belong to a version. It does nothing while
// another user creates a version, because the files may be part of it.
func (d *Cache) removeForeign(paths []string) {
	if len(paths) == 0 {
		return
	}
	making, err := d.makeAlone(false)
	if err != nil {
		return // the next scan finds the files again
	}
	defer making.Close()
	for _, path := range paths {
		name, isData := strings.CutSuffix(path, dataEnd)
		info, err := d.root.Lstat(path)
		switch {
		case err != nil, isData && d.isVersion(name, info), d.isHalf(path): // it has become a version
		case isData && info.Mode().IsRegular() && d.exists(name+indexEnd):
			d.discard(name)
			_ = d.root.RemoveAll(name + indexEnd) // it may be a folder
			_ = d.root.RemoveAll(path)
		default:
			_ = d.root.RemoveAll(path)
		}
	}
}

func (d *Cache) exists(path string) bool {
	_, err := d.root.Lstat(path)
	return err == nil
}

// evictOne evicts v unless it is in use or was used after the scan.
func (d *Cache) evictOne(v victim) {
	data, err := d.root.OpenFile(v.name+dataEnd, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer data.Close()
	if flock(data, unix.LOCK_EX|unix.LOCK_NB) != nil {
		return
	}
	index, err := d.root.OpenFile(v.name+indexEnd, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer index.Close()
	if v.extent >= 0 && !handedOut(data) {
		d.evictExtent(v, data, index)
		return
	}
	if used, ok := v.lastUse(index); ok && used == v.used {
		d.remove(v.name, data)
	}
}

// lastUse returns the time of the last use of v from its index.
func (v victim) lastUse(index *os.File) (int64, bool) {
	if v.extent >= 0 {
		b, ok := readExtent(index, v.extent)
		return lastUse(b), ok
	}
	at, err := index.Stat()
	if err != nil {
		return 0, false
	}
	return at.ModTime().UnixNano(), true
}

// handedOut reports whether File has returned a data file. A mapping of the file can
// outlive its descriptor and the lock. Such a version is removed as a whole, which does
// not change the mapping.
func handedOut(data *os.File) bool {
	info, err := data.Stat()
	return err != nil || info.Mode()&fs.ModeSticky != 0
}

// evictExtent removes an extent from the data.
func (d *Cache) evictExtent(v victim, data, index *os.File) {
	info, err := data.Stat()
	if err != nil || !d.dropRecords(v, index, info.Size()) {
		return
	}
	at := v.extent * extentSize
	err = unix.Fallocate(int(data.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, min(extentSize, info.Size()-at))
	if err != nil { // not every filesystem supports it
		d.remove(v.name, data)
	}
}

// dropRecords removes the records of an extent from the index, unless it was used after
// the scan. Blocks without a record are not read.
func (d *Cache) dropRecords(v victim, index *os.File, size int64) bool {
	if lockIndex(index) != nil {
		return false
	}
	defer func() { _ = flock(index, unix.LOCK_UN) }()
	b, ok := readExtent(index, v.extent)
	if !ok || lastUse(b) != v.used {
		return false
	}
	if _, err := index.WriteAt(make([]byte, extentRecord), extentAt(v.extent)); err != nil {
		return false
	}
	d.usage.bytes.Add(-extentBytes(b, v.extent, size))
	return true
}

// discard removes a version and subtracts its bytes from the counter.
func (d *Cache) discard(name string) {
	data, err := d.root.OpenFile(name+dataEnd, os.O_RDWR, 0)
	if err != nil {
		d.remove(name, nil)
		return
	}
	defer data.Close()
	if flock(data, unix.LOCK_EX|unix.LOCK_NB) != nil {
		d.remove(name, nil)
		return
	}
	d.remove(name, data)
}

// remove is like discard. If the caller has locked the data exclusively, data is the open
// file, otherwise nil. The space of an unlinked file is not free while any process has it
// open, which may take hours. Therefore remove empties the files. It does not empty files
// that were handed out and may be mapped.
func (d *Cache) remove(name string, data *os.File) {
	d.forget(name)
	index, err := d.root.OpenFile(name+indexEnd, os.O_RDWR, 0)
	if err != nil {
		// Data without an index has size 0 in the counter. Another user may be creating its
		// index, or may have created it since.
		if making, err := d.makeAlone(false); err == nil {
			if !d.exists(name + indexEnd) {
				d.unlink(name)
			}
			_ = making.Close() // releases the lock
		}
		return
	}
	defer index.Close() // releases the lock; the index has lost its name
	if lockIndex(index) != nil {
		return // another user has removed and subtracted it
	}
	bytes := d.bytesOf(name, index)
	if d.root.Remove(name+dataEnd) == nil {
		d.usage.bytes.Add(-bytes)
	}
	_ = d.root.Remove(name + indexEnd)
	// Truncate the index first, because blocks without a record are not read.
	if data != nil && !handedOut(data) && index.Truncate(0) == nil {
		_ = data.Truncate(0) // on an error, the last close frees the space
	}
}

// unlink removes files that the counter does not include.
func (d *Cache) unlink(name string) {
	d.forget(name)
	_ = d.root.Remove(name + dataEnd)
	_ = d.root.Remove(name + indexEnd)
}

// bytesOf returns the number of bytes that the counter includes for a version.
func (d *Cache) bytesOf(name string, index io.ReaderAt) int64 {
	info, err := d.root.Lstat(name + dataEnd)
	if err != nil {
		return 0
	}
	total := overhead(info.Size())
	for e := range extents(info.Size()) {
		b, ok := readExtent(index, e)
		if !ok {
			break
		}
		total += extentBytes(b, e, info.Size())
	}
	return total
}

// count returns the sum of the bytes of all versions.
func (d *Cache) count() int64 {
	var total int64
	d.walk(func(name string, _ fs.FileInfo) {
		index, err := d.root.Open(name + indexEnd)
		if err != nil {
			return // it was removed
		}
		defer index.Close()
		total += d.bytesOf(name, index)
	})
	return total
}

// readExtent reads the part of an index that describes an extent.
func readExtent(index io.ReaderAt, extent int64) ([]byte, bool) {
	b := make([]byte, extentRecord)
	n, err := index.ReadAt(b, extentAt(extent))
	return b, n == len(b) && (err == nil || errors.Is(err, io.EOF))
}

func lastUse(extent []byte) int64 { return int64(binary.LittleEndian.Uint64(extent)) }

// present returns the number of present blocks of an extent.
func present(extent []byte) (n int) {
	for r := range slices.Chunk(extent[8:], recordSize) {
		if _, ok := parseRecord(r); ok {
			n++
		}
	}
	return n
}

// extentBytes returns the number of bytes that the counter includes for an extent.
func extentBytes(extent []byte, number, size int64) (total int64) {
	i := number * extentBlocks
	for r := range slices.Chunk(extent[8:], recordSize) {
		if _, ok := parseRecord(r); ok {
			total += onDisk(int(min(BlockSize, size-i*BlockSize)))
		}
		i++
	}
	return total
}
