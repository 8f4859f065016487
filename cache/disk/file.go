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

// The index file of a version: a header of headerSize bytes (magic, block size,
// the object's size, the three names with their lengths, CRC-32C of all that),
// then for each extent of extentBlocks blocks the time of its last use in
// nanoseconds, and for each block a record: the CRC-32C of its bytes and, so
// that zeros mean absent, the same xor recordMark.
const (
	headerSize   = 8 << 10 // three names of up to 1 KiB and some
	extentBlocks = 64      // 8 MiB: what is evicted at a time of a large version
	extentSize   = extentBlocks * BlockSize
	recordSize   = 8
	extentRecord = 8 + extentBlocks*recordSize
	recordMark   = 0x5333D15C
	diskMagic    = "s3mount blocks 1"

	// pageSize in bytes is what filesystems allocate at least; the counter of
	// bytes rounds up to it.
	pageSize = 4 << 10

	dataEnd, indexEnd = ".data", ".idx"

	// touchEvery is how exact the time of the last use is.
	touchEvery = int64(time.Second)
	// aliveEvery is how often an open file is looked at, whether it is still
	// the one with its name.
	aliveEvery = int64(time.Second)
)

// errDamaged says that a file is not what its name and index say.
var errDamaged = errors.New("damaged or foreign")

// errLost says that files were removed while they were open.
var errLost = errors.New("lost its name")

// errThere says that another mount has written the block first.
var errThere = errors.New("is there")

// errUnderway says that files are just being made, or removed.
var errUnderway = fmt.Errorf("in the making: %w", os.ErrNotExist)

// file is a version whose files are open.
type file struct {
	name        string
	data, index *os.File
	size        int64
	refs        int   // guarded by Cache.mu; the Cache's own is one
	alive       int64 // when it was last seen to have its name; guarded by Cache.mu
	checking    bool  // all of it is being read; guarded by Cache.mu

	writing sync.Mutex // one write at a time; for other mounts that is the index's lock

	mu      sync.Mutex
	touched map[int64]int64 // last use by extent, as written
	sound   []uint64        // blocks whose checksum this process has confirmed, a bit each
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

// openFile opens the files of a version, or makes them. It returns an error
// with fs.ErrNotExist if there are none and create is not set. Files that are
// not right are removed, unless somebody is just making them.
func (d *Cache) openFile(name, key, etag string, size int64, create bool) (*file, error) {
	header := d.header(key, etag, size)
	if len(header) > headerSize {
		return nil, fmt.Errorf("names of %d bytes do not fit", len(header))
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
		return nil, errLost // another mount has removed it, and counted that
	}
	return f, err
}

// makeAlone keeps all users of the folder from making files, until what it returns is
// closed. While somebody makes some it waits, or returns errUnderway.
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
		err = errUnderway
	}
	_ = lock.Close() // holds nothing
	return nil, err
}

// openExisting opens files and holds them to what they should be: else errDamaged.
// An index that is too short is damaged, also if its header is right: it is just
// being made, and a record in it would not be found when the version is removed.
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

// create makes the files, the index last: a version without one does not exist.
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
	_ = f.data.Close() // was only read, or is cache
	_ = f.index.Close()
}

// record returns the checksum of block index, if it is there.
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

// read reads block index into p, which is as long as the block.
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
			return os.ErrNotExist // was evicted meanwhile
		}
		return fmt.Errorf("block %d of %s: %w", index, f.name, errDamaged)
	}
	f.confirm(index)
	f.touch(index / extentBlocks)
	return nil
}

// write writes block index, of which the record is absent.
func (f *file) write(index int64, p []byte) error {
	f.writing.Lock() // the locks are of the open files: the next write must not lose them with this one
	defer f.writing.Unlock()
	if err := flock(f.data, unix.LOCK_SH|unix.LOCK_NB); err != nil {
		return fmt.Errorf("locking: %w", err) // parts are being cut out of it
	}
	defer func() { _ = flock(f.data, unix.LOCK_UN) }()
	if err := lockIndex(f.index); err != nil {
		return err // if lost: its space would come back only when all have closed it
	}
	defer func() { _ = flock(f.index, unix.LOCK_UN) }()
	if _, ok := f.record(index); ok {
		return errThere
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

// confirm notes that this process has seen the block's bytes to be right.
func (f *file) confirm(index int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.sound == nil {
		f.sound = make([]uint64, blockCount(f.size)/64+1)
	}
	f.sound[index/64] |= 1 << (index % 64)
}

// confirmed tells whether confirm was called for the block.
func (f *file) confirmed(index int64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.sound != nil && f.sound[index/64]&(1<<(index%64)) != 0
}

// touch writes down that an extent was used.
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
	_, _ = f.index.WriteAt(b[:], extentAt(extent)) // only the order of eviction suffers
}

// lost tells whether the file has no name any more.
func (f *file) lost() bool { return lost(f.index) }

func lost(f *os.File) bool {
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink == 0
}

// lockIndex makes this the only one that changes the records of an index and what is
// counted for them, for as long as a block takes to write. It returns errLost when the
// index, and what was counted, is gone.
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

// overhead returns what is counted for a version of size bytes beside its blocks.
func overhead(size int64) int64 { return (indexSize(size) + pageSize - 1) &^ (pageSize - 1) }

// onDisk returns what a block of n bytes is counted as.
func onDisk(n int) int64 { return (int64(n) + pageSize - 1) &^ (pageSize - 1) }

// atomicAt returns the counter at offset at of a mapping.
func atomicAt(mem []byte, at int) *atomic.Int64 {
	return (*atomic.Int64)(unsafe.Pointer(&mem[at]))
}

// blockCount returns the number of blocks of an object of size bytes.
func blockCount(size int64) int64 { return (size + BlockSize - 1) / BlockSize }
