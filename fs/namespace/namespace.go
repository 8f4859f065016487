package namespace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
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

	life       context.Context // of all background work, until Close
	stop       context.CancelFunc
	background sync.WaitGroup

	facts   *cache.Metadata[fact]
	pages   *cache.Metadata[*page]
	hints   *cache.Metadata[hint]
	recent  *cache.Metadata[remembered] // by key
	indexes *cache.Metadata[*attrIndex]

	hits, misses atomic.Int64 // lookups that the caches could answer, and not

	deletes  deleter
	removals *removalLog

	mu      sync.Mutex
	root    Entry
	dirs    map[string]*dirNode
	fills   map[*fill]struct{}
	flights map[stretch]*flight
	pending map[string]map[string]Pending // by directory, by rel
	hidden  map[string]*deletion          // names that are gone here and not yet in S3
	keeping map[string]*keeping           // directories whose markers are on their way

	catalogue  catalogue
	loading    map[string]*indexLoad // by directory
	changes    map[string]*changeSet // of indexes, by directory
	indexTimer *time.Timer
	asking     map[string]*askRun // by directory
	ignored    map[string]string  // ETags of indexes that are not used, by directory
	noIndex    bool               // S3 does not let this mount write indexes
}

// New returns the namespace of a bucket. It makes no request.
func New(store Store, o Options) (*Namespace, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("namespace: %w", err)
	}
	n := &Namespace{
		store: store, o: o, keys: entry.Root(o.Prefix),
		defaults: entry.Defaults{FilePerm: o.FilePerm, DirPerm: o.DirPerm, UID: o.UID, GID: o.GID, Started: time.Now()},
		fills:    map[*fill]struct{}{}, flights: map[stretch]*flight{},
		pending: map[string]map[string]Pending{}, hidden: map[string]*deletion{}, keeping: map[string]*keeping{},
		loading: map[string]*indexLoad{}, changes: map[string]*changeSet{}, asking: map[string]*askRun{}, ignored: map[string]string{},
	}
	n.life, n.stop = context.WithCancel(context.Background())
	n.initKnown()
	n.deletes.init(n)
	n.removals = newRemovalLog(o.StateDir)
	n.root = Entry{Key: o.Prefix, Kind: Directory, Implicit: true}
	n.root.Attr = n.defaults.Attr(Directory, n.defaults.Started)
	if n.useLocal() {
		n.background.Go(func() { n.pruneLocal(n.life, maxLocalAttrs) })
	}
	return n, nil
}

// Close stops all background work without finishing it: call Drain first.
func (n *Namespace) Close() {
	n.mu.Lock()
	n.stop() // under the lock: nothing starts in the background after it
	n.mu.Unlock()
	n.background.Wait()
	if err := n.removals.close(); err != nil {
		n.o.Logger.Warn("cannot close the record of removals", "err", err)
	}
}

// goLocked runs f beside everything else, unless the namespace is closed. n.mu
// is held.
func (n *Namespace) goLocked(f func()) {
	if n.life.Err() == nil {
		n.background.Go(f)
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
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(Entry{Key: key})
	if !strings.HasSuffix(key, "/") && key != "" {
		return
	}
	n.forget(Entry{Key: key, Kind: Directory})
	for prefix := range n.dirs {
		if strings.HasPrefix(prefix, key) {
			n.dropDir(prefix)
		}
	}
}

// InvalidateAll forgets everything that is cached.
func (n *Namespace) InvalidateAll() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.facts.Purge()
	n.pages.Purge()
	n.hints.Purge()
	n.recent.Purge()
	n.indexes.Purge()
	n.catalogue = catalogue{}
	n.dirs = map[string]*dirNode{}
}
