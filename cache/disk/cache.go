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
	// folderName is the folder inside Options.Dir that belongs to the cache alone:
	// everything in it that is not a cache file is removed.
	folderName = "s3mount-blocks-1"
	// maxHandles bounds the versions whose files are held open, two files each:
	// far below the usual limit of 1024 files.
	maxHandles = 128
	// freeMargin in bytes is left free beyond MinFree, for the blocks that other
	// mounts are just writing: one each, so that it is enough for a hundred.
	freeMargin = 16 << 20
	// folderBytes is what the folder takes beside the versions: itself, its 256
	// folders, lock and counter, each a page.
	folderBytes = 260 * pageSize
	// minSize in bytes is the least useful cache: a few large objects in part.
	minSize = 16 << 20
)

// Options configures a Cache.
type Options struct {
	// Dir is where the cache lies. It is made if it does not exist.
	Dir string
	// Size bounds the cache in bytes, over all mounts that use Dir, with its indexes
	// and folders.
	Size int64
	// MinFree in bytes is left free on the disk, whoever fills it.
	MinFree int64
	// Namespace tells apart what has the same key and ETag in different
	// places: the endpoint and the bucket.
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

// Validate reports the first option that cannot be used, by its name.
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

// Cache keeps blocks in files: the data of a version in a file that has the
// object's layout, so that a wholly cached object can be handed to the kernel,
// and beside it an index with a checksum for each block that is there. What the
// checksum does not confirm is never served.
//
// All state is in the files, so that it survives a restart and several mounts
// share one Cache: how many bytes are used is a counter in a shared mapping, when
// something was used last is in the index. A version's files may be removed at
// any time by anyone. Locks of flock(2), from top to bottom: DIR/lock is held shared
// by every user of the folder and tells the last one; DIR/create is held while files
// of a version are made or renamed, so that nobody takes half of them for damaged; a
// data file is locked shared while blocks are written to it or a File is out, and
// exclusively to cut parts out of it; an index is locked while its records and the
// counter change together.
//
// All methods are safe for concurrent use and fail quietly: a cache that cannot
// be read or written is a cache without the block.
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
	recent  list.List                // the same, the most recently used first
	trouble trouble

	evicting sync.Mutex // one eviction at a time; above mu
	victims  []victim

	hits, misses atomic.Int64 // of Read
}

// Open opens the cache in o.Dir, or makes one.
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

// openFolder opens our folder and makes sure that it is ours alone.
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

// private makes sure that root is what has the name, not what a link led to or what
// somebody put there since, and that nobody else may enter it.
func private(root *os.Root, named os.FileInfo) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || !named.IsDir() || !os.SameFile(info, named) || int(st.Uid) != os.Geteuid() {
		return errors.New("not a folder of this user")
	}
	if info.Mode().Perm() == 0o700 {
		return nil
	}
	return root.Chmod(".", 0o700)
}

// join takes the lock that all users share. Who is alone counts the bytes,
// unless the last user left in order.
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
	// The last user may have left meanwhile; and a machine that fails must not
	// bring back the mark of an earlier end.
	d.usage.clean.Store(0)
	return d.usage.sync()
}

// Close closes all files. The last user marks the count of bytes as right.
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

// Stats is a reading of a Cache.
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

// reserve makes room for n more bytes; false if there is none.
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

// limit returns how many bytes all versions may take.
func (d *Cache) limit() int64 { return d.o.Size - folderBytes }

// lacking returns how many bytes are missing to MinFree. It looks each time, since
// what other mounts and programs write counts, too: that takes 1 µs.
func (d *Cache) lacking() int64 { return d.o.MinFree + freeMargin - d.avail() }

// statfs returns how many bytes are free on the disk; where that cannot be told, many.
func (d *Cache) statfs() int64 {
	var st unix.Statfs_t
	if err := unix.Fstatfs(int(d.lock.Fd()), &st); err != nil {
		return math.MaxInt64
	}
	return int64(st.Bavail) * st.Bsize //nolint:gosec // no disk has 2^63 blocks
}

// nameOf returns the path of a version's files without their endings.
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
	clean *atomic.Int64 // usageClean: bytes is right
}

// usageSize in bytes is the size of the counter's file.
const usageSize = 16

// usageClean marks a counter that was left in order. Any other value, as of a
// foreign file, is not believed.
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
	// On a full disk the first store into a hole would be the end of the process.
	if err := unix.Fallocate(int(f.Fd()), 0, 0, usageSize); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
		return nil, fmt.Errorf("taking space for the counter: %w", err)
	}
	mem, err := unix.Mmap(int(f.Fd()), 0, usageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mapping the counter: %w", err)
	}
	return &usage{mem: mem, bytes: atomicAt(mem, 0), clean: atomicAt(mem, 8)}, nil
}

// sync returns when the disk has the counter.
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

// now is the clock of what was used last.
func now() int64 { return time.Now().UnixNano() }
