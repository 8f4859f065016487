package cache

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
	"sync/atomic"

	"golang.org/x/sys/unix"
)

const (
	// maxVictims bounds what one look over all files remembers; the next look
	// finds the next ones. 16,384 small files are a tenth of a second to remove.
	maxVictims = 16 << 10
	// largeVersion in bytes is from where on a version is evicted by extents
	// and not as a whole.
	largeVersion = 8 * extentSize
	// evictMore is the part of the cache that is freed beyond what is needed, so
	// that the look over all files is not repeated for every block.
	evictMore = 64
)

// diskVictim is something to evict: a version, or an extent of a large one.
type diskVictim struct {
	name   string
	extent int64 // -1: all of it
	used   int64 // when it was used last, in nanoseconds
}

// victimHeap has the most recently used on top.
type victimHeap []diskVictim

func (h victimHeap) Len() int           { return len(h) }
func (h victimHeap) Less(i, j int) bool { return h[i].used > h[j].used }
func (h victimHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *victimHeap) Push(x any)        { *h = append(*h, x.(diskVictim)) }
func (h *victimHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

// evict frees at least n bytes, if it can, the least recently used first.
func (d *Disk) evict(n int64) {
	d.evicting.Lock()
	defer d.evicting.Unlock()
	n += d.o.Size / evictMore
	before := d.usage.bytes.Load()
	for looked := false; before-d.usage.bytes.Load() < n; {
		if len(d.victims) == 0 {
			if looked {
				return // all of them are in use
			}
			d.victims, looked = d.look(), true
			continue
		}
		v := d.victims[0]
		d.victims = d.victims[1:]
		d.evictOne(v)
	}
}

// look lists the least recently used of all files, oldest first.
func (d *Disk) look() []diskVictim {
	var h victimHeap
	add := func(v diskVictim) {
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
				add(diskVictim{name, -1, at.ModTime().UnixNano()})
			}
			return
		}
		for e := range extents(info.Size()) {
			if b, ok := readExtent(index, e); ok && present(b) > 0 {
				add(diskVictim{name, e, lastUse(b)})
			}
		}
	})
	slices.SortFunc(h, func(a, b diskVictim) int { return cmp.Compare(a.used, b.used) })
	return h
}

// walk calls f for each data file, and removes what has no business in the folder.
func (d *Disk) walk(f func(name string, data fs.FileInfo)) {
	folder := d.root.FS()
	top, err := fs.ReadDir(folder, ".")
	d.warn("listing", err)
	for _, dir := range top {
		if !dir.IsDir() || len(dir.Name()) != 2 {
			if !slices.Contains([]string{"lock", "usage", "create"}, dir.Name()) {
				_ = d.root.RemoveAll(dir.Name())
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
			case err != nil: // gone
			case isData && info.Mode().IsRegular() && d.exists(name+indexEnd):
				f(name, info)
			case isData || !strings.HasSuffix(path, indexEnd) || !d.exists(path[:len(path)-len(indexEnd)]+dataEnd):
				_ = d.root.RemoveAll(path) // foreign, or without its other half
			}
		}
	}
}

func (d *Disk) exists(path string) bool {
	_, err := d.root.Lstat(path)
	return err == nil
}

// evictOne evicts v unless it was used since it was listed, or is in use.
func (d *Disk) evictOne(v diskVictim) {
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
		d.remove(v.name, data, index)
	}
}

// lastUse returns when v was used last, by its index.
func (v diskVictim) lastUse(index *os.File) (int64, bool) {
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

// handedOut tells whether a data file was given out by File. A mapping of it
// outlives the file that was given out, and with that its lock: such a version
// is removed as a whole, which mappings do not notice.
func handedOut(data *os.File) bool {
	info, err := data.Stat()
	return err != nil || info.Mode()&fs.ModeSticky != 0
}

// evictExtent cuts an extent out of the data.
func (d *Disk) evictExtent(v diskVictim, data, index *os.File) {
	b, ok := readExtent(index, v.extent)
	info, err := data.Stat()
	if !ok || err != nil || lastUse(b) != v.used {
		return
	}
	// Records first: what they do not name is not read.
	if _, err := index.WriteAt(make([]byte, extentRecord), extentAt(v.extent)); err != nil {
		return
	}
	d.usage.bytes.Add(-extentBytes(b, v.extent, info.Size()))
	at := v.extent * extentSize
	err = unix.Fallocate(int(data.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, min(extentSize, info.Size()-at))
	if err != nil { // not every filesystem can
		d.remove(v.name, data, index)
	}
}

// discard removes a version and takes its bytes off the count.
func (d *Disk) discard(name string) {
	data, err := d.root.OpenFile(name+dataEnd, os.O_RDWR, 0)
	if err != nil || flock(data, unix.LOCK_EX|unix.LOCK_NB) != nil {
		d.remove(name, nil, nil)
	} else if index, err := d.root.OpenFile(name+indexEnd, os.O_RDWR, 0); err == nil {
		d.remove(name, data, index)
		_ = index.Close() // has lost its name
	} else {
		d.remove(name, data, nil)
	}
	if data != nil {
		_ = data.Close() // as well
	}
}

// remove is discard for who has locked the data exclusively: data and index are the
// open files then, else nil. Files that lose their names keep their space as long as
// any process has them open, which may be for hours; so they are emptied first. Only
// those that were handed out, and may be mapped, must stay what they are.
func (d *Disk) remove(name string, data, index *os.File) {
	d.forget(name)
	bytes := d.bytesOf(name)
	if data != nil && !handedOut(data) {
		// The index first: blocks without a record are not read.
		if index != nil && index.Truncate(0) == nil {
			_ = data.Truncate(0) // else they go when the last one closes them
		}
	}
	if d.root.Remove(name+dataEnd) == nil { // of several, one counts
		d.usage.bytes.Add(-bytes)
	}
	_ = d.root.Remove(name + indexEnd)
}

// unlink removes files that count for nothing.
func (d *Disk) unlink(name string) {
	d.forget(name)
	_ = d.root.Remove(name + dataEnd)
	_ = d.root.Remove(name + indexEnd)
}

// bytesOf returns what a version is counted as.
func (d *Disk) bytesOf(name string) int64 {
	index, err := d.root.Open(name + indexEnd)
	if err != nil {
		return 0
	}
	defer index.Close()
	info, err := d.root.Lstat(name + dataEnd)
	if err != nil {
		return 0
	}
	total := int64(diskOverhead)
	for e := range extents(info.Size()) {
		b, ok := readExtent(index, e)
		if !ok {
			break
		}
		total += extentBytes(b, e, info.Size())
	}
	return total
}

// count counts the bytes of all versions.
func (d *Disk) count() int64 {
	var total atomic.Int64
	d.walk(func(name string, _ fs.FileInfo) { total.Add(d.bytesOf(name)) })
	return total.Load()
}

// readExtent reads the part of an index that describes an extent.
func readExtent(index io.ReaderAt, extent int64) ([]byte, bool) {
	b := make([]byte, extentRecord)
	n, err := index.ReadAt(b, extentAt(extent))
	return b, n == len(b) && (err == nil || errors.Is(err, io.EOF))
}

func lastUse(extent []byte) int64 { return int64(binary.LittleEndian.Uint64(extent)) }

// present returns how many blocks of an extent are there.
func present(extent []byte) (n int) {
	for r := range slices.Chunk(extent[8:], recordSize) {
		if _, ok := parseRecord(r); ok {
			n++
		}
	}
	return n
}

// extentBytes returns what the blocks of an extent are counted as.
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
