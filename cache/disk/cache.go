package disk

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// BlockSize is the cached unit of object data in bytes, in memory and on disk.
const BlockSize = 128 << 10

const (
	// folderName is the folder in Options.Dir that belongs to the cache alone. The
	// cache removes everything else from it.
	folderName = "s3mount-blocks-1"
	// maxHandles bounds the number of versions whose files are held open. Each has two
	// files, so that the total is far below the usual limit of 1024 files.
	maxHandles = 128
	// freeMargin in bytes is left free beyond MinFree, for the blocks that other mounts
	// are writing at the moment. It is enough for a hundred mounts.
	freeMargin = 16 << 20
	// folderBytes is the size of the folder besides the versions: the folder itself, its
	// 256 subfolders, the lock and the counter, one page each.
	folderBytes = 260 * pageSize
	// minSize in bytes is the smallest useful cache. It holds parts of a few large objects.
	minSize = 16 << 20
)

// Options configures a Cache.
type Options struct {
	// Dir is the folder of the cache. It is created if it does not exist.
	Dir string
	// Size bounds the cache in bytes, including its indexes and folders, for all mounts
	// that use Dir together.
	Size int64
	// MinFree in bytes is left free on the disk, no matter which program fills it.
	MinFree int64
	// Namespace is the endpoint and the bucket. It distinguishes objects with the same
	// key and ETag in different places.
	Namespace string
	Logger    *slog.Logger
}

// Defaults returns o with every unset option set.
func (o Options) Defaults() Options {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

// Validate returns an error that names the first invalid option.
func (o Options) Validate() error {
	switch {
	case o.Dir == "":
		return errors.New("cache: Dir is empty")
	case o.Size < minSize:
		return fmt.Errorf("cache: Size is %d, must be at least %d", o.Size, int64(minSize))
	case o.MinFree < 0:
		return fmt.Errorf("cache: MinFree is %d, must not be negative", o.MinFree)
	}
	return nil
}

// Cache keeps blocks in files. A version has a data file with the layout of the object,
// so that the kernel can read a completely cached object, and an index with a checksum
// for each present block. A block is never served if its checksum does not match.
//
// All state is in the files, so that it survives a restart and several mounts can share
// it. The number of used bytes is a counter in a shared mapping. The index holds the
// time of the last use. Any user may remove the files of a version at any time.
//
// The locks of flock(2) are taken in this order:
//
//   - DIR/lock: every user of the folder holds it shared, so that the last user can
//     detect that it is alone.
//   - DIR/create: held while the files of a version are created or renamed, so that
//     nobody takes incomplete files for damaged ones.
//   - A data file: locked shared while blocks are written to it or while a File is
//     open, and exclusively while parts of it are removed.
//   - An index: locked while its records and the counter change together.
//
// All methods are safe for concurrent use. They do not return errors: a cache that
// cannot be read or written behaves like a cache that does not have the block.
type Cache struct {
	o     Options
	root  *os.Root
	avail func() int64 // bytes that are free on the disk
	lock  *os.File
	usage *usage
	wg    sync.WaitGroup // checks of whole files

	mu      sync.Mutex
	closed  bool
	files   map[string]*list.Element // of *file, by name
	recent  list.List                // the same files, the most recently used first
	trouble trouble

	evicting sync.Mutex // held for one eviction at a time; ranks above mu
	victims  []victim

	hits, misses atomic.Int64 // of Read
}

// Open opens the cache in o.Dir, or creates it.
func Open(o Options) (*Cache, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	o = o.Defaults()
	d := &Cache{o: o, files: make(map[string]*list.Element)}
	d.avail = d.statfs
	if err := d.openFolder(filepath.Join(o.Dir, folderName)); err != nil {
		return nil, fmt.Errorf("opening the disk cache: %w", err)
	}
	if err := d.join(); err != nil {
		return nil, fmt.Errorf("joining the disk cache: %w", errors.Join(err, d.root.Close()))
	}
	return d, nil
}

// openFolder opens the folder of the cache and checks that nobody else may use it.
func (d *Cache) openFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	named, err := os.Lstat(path)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return err
	}
	if err := private(root, named); err != nil {
		return fmt.Errorf("%s: %w", path, errors.Join(err, root.Close()))
	}
	d.root = root
	return nil
}

// private checks that root is the folder that named describes, not the target of a link
// or a replacement, and that no other user may enter it.
func private(root *os.Root, named os.FileInfo) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !named.IsDir() || !os.SameFile(info, named) || int(st.Uid) != os.Geteuid() {
		return errors.New("it is not a folder of this user")
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	return root.Chmod(".", 0o700)
}

// join takes the lock that all users share. A user that is alone counts the bytes,
// unless the last user closed the cache properly.
func (d *Cache) join() (err error) {
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
	if err := flock(d.lock, unix.LOCK_SH); err != nil {
		return err
	}
	// The last user may have closed the cache in the meantime. Sync the counter, so
	// that a crash of the machine does not restore the mark of an earlier close.
	d.usage.clean.Store(0)
	return d.usage.sync()
}

// Close closes all files. The last user marks the counter as valid.
func (d *Cache) Close() error {
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

// Stats describes the use of a Cache.
type Stats struct {
	Hits   int64 // blocks that were read
	Misses int64 // reads of blocks that are absent
	Bytes  int64 // size of the cache, over all mounts that share it
}

// Stats returns the counters since Open, and the size of the cache.
func (d *Cache) Stats() Stats {
	return Stats{Hits: d.hits.Load(), Misses: d.misses.Load(), Bytes: d.Used()}
}

// Used returns the bytes that the cache occupies, over all its users.
func (d *Cache) Used() int64 { return d.usage.bytes.Load() }

// reserve makes room for n more bytes and reports whether there is room.
func (d *Cache) reserve(n int64) bool {
	over := max(d.usage.bytes.Add(n)-d.limit(), d.lacking())
	if over <= 0 {
		return true
	}
	d.evict(over)
	if d.usage.bytes.Load() <= d.limit() && d.lacking() <= 0 {
		return true
	}
	d.usage.bytes.Add(-n)
	return false
}

// limit returns the number of bytes that all versions may use.
func (d *Cache) limit() int64 { return d.o.Size - folderBytes }

// lacking returns the number of bytes that are missing to MinFree. It asks the disk each
// time, which takes 1 µs, because other mounts and programs write to the disk, too.
func (d *Cache) lacking() int64 { return d.o.MinFree + freeMargin - d.avail() }

// statfs returns the number of free bytes on the disk. It returns the largest number if
// the disk does not report it.
func (d *Cache) statfs() int64 {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.lock.Fd()), &st); err != nil {
		return math.MaxInt64
	}
	return int64(st.Bavail) * st.Bsize //nolint:gosec // no disk has 2^63 blocks
}

// nameOf returns the path of a version's files without their suffixes.
func (d *Cache) nameOf(key, etag string) string {
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

// usage is the counter of bytes that all users of a folder share.
type usage struct {
	mem   []byte
	bytes *atomic.Int64
	clean *atomic.Int64 // usageClean if bytes is valid
}

// usageSize in bytes is the size of the counter's file.
const usageSize = 16

// usageClean marks a counter as valid. Any other value, such as in a foreign file, means
// that the bytes must be counted.
const usageClean = 0x53336D6F756E7401

// openUsage maps the counter.
func openUsage(root *os.Root) (*usage, error) {
	f, err := root.OpenFile("usage", os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := f.Truncate(usageSize); err != nil {
		return nil, err
	}
	// On a full disk a store into a hole of the mapping would kill the process.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, usageSize); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, fmt.Errorf("allocating space for the counter: %w", err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, usageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the counter: %w", err)
	}
	return &usage{mem: mem, bytes: atomicAt(mem, 0), clean: atomicAt(mem, 8)}, nil
}

// sync writes the counter to the disk.
func (u *usage) sync() error {
	if err := unix.Msync(u.mem, unix.MS_SYNC); err != nil {
		return fmt.Errorf("saving the counter: %w", err)
	}
	return nil
}

func (u *usage) close() error { return unix.Munmap(u.mem) }

// flock locks f as flock(2) does.
func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// now returns the clock for times of last use, in nanoseconds.
func now() int64 { return time.Now().UnixNano() }
