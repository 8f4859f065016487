package namespace

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// Store is what this package asks of S3; *s3.Client is one.
type Store interface {
	Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error)
	Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error)
	Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error)
	Put(ctx context.Context, in *s3.PutInput) (*s3.PutOutput, error)
	Copy(ctx context.Context, in *s3.CopyInput) (*s3.CopyOutput, error)
	Delete(ctx context.Context, in *s3.DeleteInput) (*s3.DeleteOutput, error)
	DeleteMulti(ctx context.Context, in *s3.DeleteMultiInput) ([]s3.DeleteResult, error)
	// DeletesCompare reports whether the server itself holds a delete to its ETag.
	DeletesCompare(ctx context.Context, bucket string) bool
}

// Namespace maps names to keys and knows what S3 holds under them. All
// methods are safe for concurrent use.
type Namespace struct {
	store    Store
	o        Options
	keys     entry.Root
	defaults entry.Defaults // attributes of objects that carry none

	known   *listing.Cache
	fetcher *listing.Fetcher
	walks   *listing.Walks
	jobs    *background.Group // work that no caller waits for, until Close
	index   *attrs.Index
	local   *attrs.Local

	recent *cache.Metadata[remembered] // by key

	hits, misses atomic.Int64 // lookups that the caches could answer, and not

	pending  *pendingFiles
	deletes  deleter
	removals *removalLog

	mu      lockorder.Mutex[lockorder.Namespace]
	root    Entry
	hidden  map[string]*deletion // names that are gone here and not yet in S3
	keeping map[string]*keeping  // directories whose markers are on their way

	asking map[string]*askRun // by directory
}

// New returns the namespace of a bucket. It makes no request.
func New(store Store, o Options) (*Namespace, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	n := &Namespace{
		store: store, o: o, keys: entry.Root(o.Prefix),
		defaults: entry.Defaults{FilePerm: o.FilePerm, DirPerm: o.DirPerm, UID: o.UID, GID: o.GID, Started: time.Now()},
		pending:  newPendingFiles(), hidden: map[string]*deletion{}, keeping: map[string]*keeping{},
		jobs: background.NewGroup(), asking: map[string]*askRun{},
	}
	n.connect()
	n.recent = cache.NewMetadata(rememberMemory, rememberedCost)
	n.deletes.init(n)
	n.removals = newRemovalLog(o.StateDir)
	n.root = Entry{Key: o.Prefix, Kind: Directory, Implicit: true}
	n.root.Attr = n.defaults.Attr(Directory, n.defaults.Started)
	return n, nil
}

// connect makes the caches, which are empty.
func (n *Namespace) connect() {
	n.known = listing.NewCache(listing.Options{
		Bucket: n.o.Bucket, Root: n.keys, TTL: n.o.TTL, MemoryLimit: n.o.MemoryLimit, Charge: n.o.Charge, Defaults: n.defaults,
	})
	n.fetcher = listing.NewFetcher(n.store, n.known, n.jobs)
	n.walks = listing.NewWalks(n.keys)
	n.index, n.local = attrs.New(n.store, n.known, n.jobs, attrs.Options{
		Bucket: n.o.Bucket, Root: n.keys, TTL: n.o.TTL, Posix: n.o.Posix, Defaults: n.defaults, ReadOnly: n.o.ReadOnly,
		Dir: n.o.AttrDir, Connections: n.o.Connections, Logger: n.o.Logger,
	})
}

// Close stops all background work without finishing it: call Drain first.
func (n *Namespace) Close() {
	n.jobs.Close()
	if err := n.removals.close(); err != nil {
		n.o.Logger.Warn("cannot close the record of removals", "err", err)
	}
}

// Root returns the directory that is mounted.
func (n *Namespace) Root() Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.root
}

// contEntry is the directory of all names that begin with a part of a segment.
func (n *Namespace) contEntry(key string) Entry {
	return Entry{Key: key, Kind: Directory, Implicit: true, Attr: n.defaults.Attr(Directory, time.Time{})}
}

// Invalidate forgets what is cached of a key, and of all below it if it is a
// directory.
func (n *Namespace) Invalidate(key string) {
	n.forget(Entry{Key: key})
	if !strings.HasSuffix(key, "/") && key != "" {
		return
	}
	n.forget(Entry{Key: key, Kind: Directory})
	n.known.ForgetTree(key)
}

// InvalidateAll forgets everything that is cached.
func (n *Namespace) InvalidateAll() {
	n.known.ForgetAll()
	n.walks.Forget()
	n.recent.Purge()
	n.index.Forget()
}

// forget drops what is cached of an entry, so that the next lookup asks S3.
func (n *Namespace) forget(e Entry) {
	n.recent.Delete(e.Key)
	n.known.Forget(e)
}

// note takes in a change of this mount, or a version that it saw.
func (n *Namespace) note(c entry.Change) {
	if !c.Seen {
		n.recent.Delete(c.Entry.Key)
	}
	n.known.Note(c)
	n.index.Note(c)
}

// find returns what is known of a key now: of a file, or of a directory if rel ends in
// "/". n.mu is held.
func (n *Namespace) find(dir, rel string) (Entry, listing.Knowledge) {
	if len(n.hidden) > 0 && n.hidden[entry.RowID(dir, rel)] != nil {
		return Entry{}, listing.Absent
	}
	return n.known.Find(dir, rel)
}
