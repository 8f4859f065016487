package namespace

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/background"
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

	jobs  *background.Group // work that no caller waits for, until Close
	index *attrs.Index
	local *attrs.Local

	facts  *cache.Metadata[fact]
	pages  *cache.Metadata[*page]
	hints  *cache.Metadata[hint]
	recent *cache.Metadata[remembered] // by key

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
		fills:    map[*fill]struct{}{}, flights: map[stretch]*flight{},
		pending: map[string]map[string]Pending{}, hidden: map[string]*deletion{}, keeping: map[string]*keeping{},
		jobs: background.NewGroup(), asking: map[string]*askRun{},
	}
	n.initKnown()
	n.deletes.init(n)
	n.removals = newRemovalLog(o.StateDir)
	n.root = Entry{Key: o.Prefix, Kind: Directory, Implicit: true}
	n.root.Attr = n.defaults.Attr(Directory, n.defaults.Started)
	n.index, n.local = attrs.New(store, (*listings)(n), n.jobs, attrs.Options{
		Bucket: o.Bucket, Root: n.keys, TTL: o.TTL, Posix: o.Posix, Defaults: n.defaults, ReadOnly: o.ReadOnly,
		Dir: o.AttrDir, Connections: o.Connections, Logger: o.Logger,
	})
	return n, nil
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
	n.index.Forget()
	n.dirs = map[string]*dirNode{}
}

// listings answers the questions of package attrs.
type listings Namespace

// Absent reports whether a listing that is still believed has no such row, and when
// that listing was made.
func (l *listings) Absent(dir, rel string) (listed time.Time, absent bool) {
	n := (*Namespace)(l)
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pageOf(dir, rel)
	if p == nil || !n.now().Before(p.until) {
		return time.Time{}, false
	}
	_, found := p.search(rel)
	return p.when, !found
}
