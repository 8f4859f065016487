package cache

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// diskFolder is the folder inside DiskOptions.Dir that is all ours: whatever
	// lies in it and is not a cache file is removed.
	diskFolder = "s3mount-blocks-1"
	// diskHandles bounds the versions whose files are held open, two files each:
	// far below the usual limit of 1024 files.
	diskHandles = 128
	// freeCheck in bytes is how much is written between two looks at the free
	// space of the disk.
	freeCheck = 16 << 20
	// minDiskSize in bytes is the least useful cache: a few large objects in part.
	minDiskSize = 16 << 20
)

// DiskOptions configure a Disk.
type DiskOptions struct {
	// Dir is where the cache lies. It is made if it does not exist.
	Dir string
	// Size bounds the cache in bytes, over all mounts that use Dir.
	Size int64
	// MinFree in bytes is left free on the disk.
	MinFree int64
	// Namespace tells apart what has the same key and ETag in different
	// places: the endpoint and the bucket.
	Namespace string
	Logger    *slog.Logger
}

// Defaults returns o with every unset option set.
func (o DiskOptions) Defaults() DiskOptions {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate reports the first option that cannot be used, by its name.
func (o DiskOptions) Validate() error {
	switch {
	case o.Dir == "":
		return errors.New("cache: Dir is empty")
	case o.Size < minDiskSize:
		return fmt.Errorf("cache: Size is %d, must be at least %d", o.Size, int64(minDiskSize))
	case o.MinFree < 0:
		return fmt.Errorf("cache: MinFree is %d, must not be negative", o.MinFree)
	}
	return nil
}

// Disk keeps blocks in files: the data of a version in a file that has the
// object's layout, so that a wholly cached object can be handed to the kernel,
// and beside it an index with a checksum for each block that is there. What the
// checksum does not confirm is never served.
//
// All state is in the files, so that it survives a restart and several mounts
// share one Disk: how many bytes are used is a counter in a shared mapping, when
// something was used last is in the index. A version's files may be removed at
// any time by anyone. Locks of flock(2): DIR/lock is held shared by every user
// of the folder and tells the last one; a data file is locked shared while
// blocks are written to it or a File is out, and exclusively to cut parts out of it.
//
// All methods are safe for concurrent use and fail quietly: a cache that cannot
// be read or written is a cache without the block.
type Disk struct {
	o     DiskOptions
	root  *os.Root
	lock  *os.File
	usage *diskUsage
	wg    sync.WaitGroup // checks of whole files

	mu       sync.Mutex
	closed   bool
	files    map[string]*list.Element // of *diskFile, by name
	recent   list.List                // the same, the most recently used first
	unlooked int64                    // bytes written since the last look at the free space
	trouble  diskTrouble

	evicting sync.Mutex // one eviction at a time; above mu
	victims  []diskVictim

	hits, misses atomic.Int64 // of Read
}

// OpenDisk opens the cache in o.Dir, or makes one.
func OpenDisk(o DiskOptions) (*Disk, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.Defaults()
	d := &Disk{o: o, files: make(map[string]*list.Element)}
	if err := d.openFolder(filepath.Join(o.Dir, diskFolder)); err != nil {
		return nil, fmt.Errorf("opening the disk cache: %w", err)
	}
	if err := d.join(); err != nil {
		return nil, fmt.Errorf("joining the disk cache: %w", errors.Join(err, d.root.Close()))
	}
	return d, nil
}

// openFolder opens our folder and makes sure that it is ours alone.
func (d *Disk) openFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return err
	}
	if !info.IsDir() || int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder of this user", path)
	}
	if info.Mode().Perm() != 0o700 {
		if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // a folder needs x
			return err
		}
	}
	d.root, err = os.OpenRoot(path)
	return err
}

// join takes the lock that all users share. Who is alone counts the bytes,
// unless the last user left in order.
func (d *Disk) join() (err error) {
	if d.lock, err = d.root.OpenFile("lock", os.O_RDWR|os.O_CREATE, 0o600); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = d.lock.Close()
		}
	}()
	alone := flock(d.lock, unix.LOCK_EX|unix.LOCK_NB) == nil
	if d.usage, err = openUsage(d.root); err != nil {
		return err
	}
	if alone && !d.usage.clean.CompareAndSwap(usageClean, 0) {
		d.usage.bytes.Store(d.count())
	}
	return flock(d.lock, unix.LOCK_SH)
}

// Close closes all files. The last user marks the count of bytes as right.
func (d *Disk) Close() error {
	d.mu.Lock()
	d.closed = true
	for name := range d.files {
		d.dropHandle(name)
	}
	d.mu.Unlock()
	d.wg.Wait()
	if flock(d.lock, unix.LOCK_EX|unix.LOCK_NB) == nil {
		d.usage.clean.Store(usageClean)
	}
	return errors.Join(d.usage.close(), d.lock.Close(), d.root.Close())
}

// Used returns the bytes that the cache occupies, over all its users.
func (d *Disk) Used() int64 { return d.usage.bytes.Load() }

// reserve makes room for n more bytes; false if there is none.
func (d *Disk) reserve(n int64) bool {
	over := d.usage.bytes.Add(n) - d.o.Size
	d.mu.Lock()
	d.unlooked += n
	look := d.unlooked >= freeCheck
	if look {
		d.unlooked = 0
	}
	d.mu.Unlock()
	if look {
		over = max(over, d.lacking())
	}
	if over <= 0 {
		return true
	}
	d.evict(over)
	if d.usage.bytes.Load() <= d.o.Size && (!look || d.lacking() <= 0) {
		return true
	}
	d.usage.bytes.Add(-n)
	d.mu.Lock()
	d.unlooked += freeCheck // look again at once
	d.mu.Unlock()
	return false
}

// lacking returns how many bytes are missing to MinFree.
func (d *Disk) lacking() int64 {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.lock.Fd()), &st); err != nil {
		return 0
	}
	return d.o.MinFree + freeCheck - int64(st.Bavail)*st.Bsize //nolint:gosec // no disk has 2^63 blocks
}

// nameOf returns the path of a version's files without their endings.
func (d *Disk) nameOf(key, etag string) string {
	h := sha256.New()
	for _, s := range []string{d.o.Namespace, key, etag} {
		var n [8]byte
		binary.LittleEndian.PutUint64(n[:], uint64(len(s)))
		h.Write(n[:])
		h.Write([]byte(s))
	}
	sum := hex.EncodeToString(h.Sum(nil))
	return sum[:2] + "/" + sum[2:]
}

// diskUsage is the counter of bytes that all users of a folder share.
type diskUsage struct {
	mem   []byte
	bytes *atomic.Int64
	clean *atomic.Int64 // usageClean: bytes is right
}

// usageClean marks a counter that was left in order. Any other value, as of a
// foreign file, is not believed.
const usageClean = 0x53336D6F756E7401

// openUsage maps the counter.
func openUsage(root *os.Root) (*diskUsage, error) {
	f, err := root.OpenFile("usage", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(16); err != nil {
		return nil, err
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, 16, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the counter: %w", err)
	}
	return &diskUsage{mem: mem, bytes: atomicAt(mem, 0), clean: atomicAt(mem, 8)}, nil
}

func (u *diskUsage) close() error { return unix.Munmap(u.mem) }

// flock locks f as flock(2) does.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// now is the clock of what was used last.
func now() int64 { return time.Now().UnixNano() }
