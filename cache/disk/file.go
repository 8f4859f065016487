package disk

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The index file of a version consists of a header of headerSize bytes (magic, block
// size, the object's size, the three names with their lengths, and the CRC-32C of all
// that) and a part for each extent of extentBlocks blocks. The part has the time of the
// last use in nanoseconds, and a record for each block: the CRC-32C of its bytes, and
// the same value xor recordMark, so that zeros mean absent.
const (
	headerSize   = 8 << 10 // three names of up to 1 KiB and the fixed fields
	extentBlocks = 64      // 8 MiB, the unit of eviction of a large version
	extentSize   = extentBlocks * BlockSize
	recordSize   = 8
	extentRecord = 8 + extentBlocks*recordSize
	recordMark   = 0x5333D15C
	diskMagic    = "s3mount blocks 1"

	// pageSize in bytes is the least that filesystems allocate. The counter of bytes
	// rounds up to it.
	pageSize = 4 << 10

	dataEnd, indexEnd = ".data", ".idx"

	// touchEvery is the precision of the time of the last use.
	touchEvery = int64(time.Second)
	// aliveEvery is the interval at which the cache checks that an open file still has
	// its name.
	aliveEvery = int64(time.Second)
)

// errDamaged means that a file does not match its name or its index.
var errDamaged = errors.New("the file is damaged or foreign")

// errLost means that another user removed the files while they were open.
var errLost = errors.New("the file was removed")

// errPresent means that another mount wrote the block first.
var errPresent = errors.New("the block is present")

// errBeingCreated means that another user is creating or removing the files.
var errBeingCreated = fmt.Errorf("the version is being created: %w", os.ErrNotExist)

// file is a version whose files are open.
type file struct {
	name        string
	data, index *os.File
	size        int64
	refs        int   // includes one of the Cache; guarded by Cache.mu
	alive       int64 // the time at which it was last known to have its name; guarded by Cache.mu
	checking    bool  // all blocks are being read; guarded by Cache.mu

	writing sync.Mutex // serializes writes of this process; the index's lock excludes other mounts

	mu      sync.Mutex
	touched map[int64]int64 // the time of the last use in the index, by extent
	sound   []uint64        // a bit for each block whose checksum this process has confirmed
}

// castagnoli is the polynomial with hardware support.
var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// header returns the header of a version's index.
func (d *Cache) header(key, etag string, size int64) []byte {
	h := make([]byte, 0, headerSize)
	h = append(h, diskMagic...)
	h = binary.LittleEndian.AppendUint64(h, BlockSize)
	h = binary.LittleEndian.AppendUint64(h, uint64(size))
	for _, s := range []string{d.o.Namespace, key, etag} {
		h = binary.LittleEndian.AppendUint32(h, uint32(len(s)))
		h = append(h, s...)
	}
	h = binary.LittleEndian.AppendUint32(h, crc32.Checksum(h, castagnoli))
	return h
}

// openFile opens the files of a version, or creates them if create is set. Otherwise its
// error is fs.ErrNotExist if they are absent. It removes damaged files, unless another
// user is creating them.
func (d *Cache) openFile(name, key, etag string, size int64, create bool) (*file, error) {
	header := d.header(key, etag, size)
	if len(header) > headerSize {
		return nil, fmt.Errorf("the names of %d bytes do not fit into the header", len(header))
	}
	f, err := d.openExisting(name, size, header)
	if err == nil || !create && !errors.Is(err, errDamaged) {
		return f, err
	}
	making, err := d.makeAlone(create)
	if err != nil {
		return nil, err
	}
	defer making.Close()
	f, err = d.openExisting(name, size, header)
	if errors.Is(err, errDamaged) {
		d.discard(name)
	}
	if err == nil || !create {
		return f, err
	}
	if !d.reserve(overhead(size)) {
		return nil, errNoRoom
	}
	if err := d.create(name, size, header); err != nil {
		d.unlink(name)
		d.usage.bytes.Add(-overhead(size))
		return nil, err
	}
	f, err = d.openExisting(name, size, header)
	if errors.Is(err, os.ErrNotExist) || errors.Is(err, errDamaged) {
		return nil, errLost // another mount has removed and subtracted it
	}
	return f, err
}

// makeAlone prevents other users of the folder from creating files until the result is
// closed. If another user is creating files, makeAlone waits or returns errBeingCreated.
func (d *Cache) makeAlone(wait bool) (*os.File, error) {
	lock, err := d.root.OpenFile("create", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	err = flock(lock, how)
	switch {
	case err == nil:
		return lock, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		err = errBeingCreated
	}
	_ = lock.Close() // it is not locked
	return nil, err
}

// openExisting opens files and checks them. It returns errDamaged if they do not match.
// An index that is too short is damaged, even if its header is valid: it is being created,
// and the removal of the version would miss a record in it.
func (d *Cache) openExisting(name string, size int64, header []byte) (*file, error) {
	f := &file{name: name, size: size, refs: 1, alive: now(), touched: map[int64]int64{}}
	var err error
	if f.index, err = d.root.OpenFile(name+indexEnd, os.O_RDWR, 0); err != nil {
		return nil, err
	}
	if f.data, err = d.root.OpenFile(name+dataEnd, os.O_RDWR, 0); err != nil {
		_ = f.index.Close()
		return nil, fmt.Errorf("%s has no data: %w", name, errDamaged)
	}
	got := make([]byte, len(header))
	_, err = f.index.ReadAt(got, 0)
	if err == nil && bytes.Equal(got, header) && hasSize(f.data, size) && hasSize(f.index, indexSize(size)) {
		return f, nil
	}
	f.close()
	return nil, fmt.Errorf("%s: %w", name, errDamaged)
}

func hasSize(f *os.File, size int64) bool {
	info, err := f.Stat()
	return err == nil && info.Size() == size
}

// create creates the files. It creates the index last, because a version without an index
// does not exist.
func (d *Cache) create(name string, size int64, header []byte) error {
	if err := d.root.Mkdir(name[:2], 0o700); err != nil && !errors.Is(err, os.ErrExist) {
		return err
	}
	data, err := d.root.OpenFile(name+dataEnd, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer data.Close()
	if err := data.Truncate(size); err != nil {
		return err
	}
	index, err := d.root.OpenFile(name+indexEnd, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer index.Close()
	if _, err := index.WriteAt(header, 0); err != nil {
		return err
	}
	return index.Truncate(indexSize(size))
}

func (f *file) close() {
	_ = f.data.Close() // its data is only a cache
	_ = f.index.Close()
}

// record returns the checksum of block index, if the block is present.
func (f *file) record(index int64) (sum uint32, ok bool) {
	var b [recordSize]byte
	if _, err := f.index.ReadAt(b[:], recordAt(index)); err != nil {
		return 0, false
	}
	return parseRecord(b[:])
}

func parseRecord(b []byte) (sum uint32, ok bool) {
	sum = binary.LittleEndian.Uint32(b)
	return sum, binary.LittleEndian.Uint32(b[4:]) == sum^recordMark
}

// read reads block index into p, which has the length of the block.
func (f *file) read(index int64, p []byte) error {
	sum, ok := f.record(index)
	if !ok {
		return os.ErrNotExist
	}
	if _, err := f.data.ReadAt(p, index*BlockSize); err != nil && err != io.EOF {
		return err
	}
	if crc32.Checksum(p, castagnoli) != sum {
		if again, ok := f.record(index); !ok || again != sum {
			return os.ErrNotExist // it was evicted in the meantime
		}
		return fmt.Errorf("block %d of %s: %w", index, f.name, errDamaged)
	}
	f.confirm(index)
	f.touch(index / extentBlocks)
	return nil
}

// write writes block index, whose record is absent.
func (f *file) write(index int64, p []byte) error {
	f.writing.Lock() // the locks belong to the open files, so the next write would release them
	defer f.writing.Unlock()
	if err := flock(f.data, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return fmt.Errorf("locking: %w", err) // parts of the file are being removed
	}
	defer func() { _ = flock(f.data, unix.LOCK_UN) }()
	if err := lockIndex(f.index); err != nil {
		return err // the space of a lost file is not free until all users have closed it
	}
	defer func() { _ = flock(f.index, unix.LOCK_UN) }()
	if _, ok := f.record(index); ok {
		return errPresent
	}
	if _, err := f.data.WriteAt(p, index*BlockSize); err != nil {
		return err
	}
	var b [recordSize]byte
	sum := crc32.Checksum(p, castagnoli)
	binary.LittleEndian.PutUint32(b[:], sum)
	binary.LittleEndian.PutUint32(b[4:], sum^recordMark)
	if _, err := f.index.WriteAt(b[:], recordAt(index)); err != nil {
		return err
	}
	f.confirm(index)
	f.touch(index / extentBlocks)
	return nil
}

// confirm records that this process has verified the block's checksum.
func (f *file) confirm(index int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sound == nil {
		f.sound = make([]uint64, blockCount(f.size)/64+1)
	}
	f.sound[index/64] |= 1 << (index % 64)
}

// confirmed reports whether confirm was called for the block.
func (f *file) confirmed(index int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sound != nil && f.sound[index/64]&(1<<(index%64)) != 0
}

// touch records the use of an extent.
func (f *file) touch(extent int64) {
	at := now()
	f.mu.Lock()
	if at-f.touched[extent] < touchEvery {
		f.mu.Unlock()
		return
	}
	f.touched[extent] = at
	f.mu.Unlock()
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(at))
	_, _ = f.index.WriteAt(b[:], extentAt(extent)) // an error affects only the order of eviction
}

// lost reports whether the file has lost its name.
func (f *file) lost() bool { return lost(f.index) }

func lost(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink == 0
}

// lockIndex gives this caller exclusive access to the records of an index and to their
// bytes in the counter, while it writes a block. It returns errLost when the index was
// removed and subtracted.
func lockIndex(index *os.File) error {
	if err := flock(index, unix.LOCK_EX); err != nil {
		return fmt.Errorf("locking the index: %w", err)
	}
	if lost(index) {
		_ = flock(index, unix.LOCK_UN)
		return errLost
	}
	return nil
}

// extents returns the number of extents of size bytes.
func extents(size int64) int64 { return (size + extentSize - 1) / extentSize }

func extentAt(extent int64) int64 { return headerSize + extent*extentRecord }

func recordAt(index int64) int64 {
	return extentAt(index/extentBlocks) + 8 + index%extentBlocks*recordSize
}

// indexSize returns the length of the index of a version of size bytes.
func indexSize(size int64) int64 { return headerSize + extents(size)*extentRecord }

// overhead returns the number of bytes that the counter includes for a version of size
// bytes besides its blocks.
func overhead(size int64) int64 { return (indexSize(size) + pageSize - 1) &^ (pageSize - 1) }

// onDisk returns the number of bytes that the counter includes for a block of n bytes.
func onDisk(n int) int64 { return (int64(n) + pageSize - 1) &^ (pageSize - 1) }

// atomicAt returns the counter at offset at of a mapping.
func atomicAt(mem []byte, at int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&mem[at]))
}

// blockCount returns the number of blocks of an object of size bytes.
func blockCount(size int64) int64 { return (size + BlockSize - 1) / BlockSize }
