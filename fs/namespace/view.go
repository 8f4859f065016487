package namespace

import (
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// view is the part of a Namespace that knows which names the mount shows, without a
// request: what S3 has shown, with the files that are not in S3 yet, and without the names
// that are deleted here.
type view struct {
	*bucket
	known   *listing.Cache
	index   *attrs.Index
	local   *attrs.Local
	pending *pendingFiles
	*recentOptions

	mu     lockorder.Mutex[lockorder.View]
	root   entry.Entry
	hidden map[string]*deletion // names that are gone here and not yet in S3
}

func newView(b *bucket) *view {
	v := &view{bucket: b, recentOptions: newRecentOptions(), pending: newPendingFiles(), hidden: map[string]*deletion{}}
	v.known = listing.NewCache(listing.Options{
		Bucket: b.o.Bucket, Root: b.keys, TTL: b.o.TTL, MemoryLimit: b.o.MemoryLimit, Charge: b.o.Charge, Defaults: b.defaults,
	})
	v.index, v.local = attrs.New(b.store, v.known, b.jobs, attrs.Options{
		Bucket: b.o.Bucket, Root: b.keys, TTL: b.o.TTL, Posix: b.o.Posix, Defaults: b.defaults, ReadOnly: b.o.ReadOnly,
		Dir: b.o.AttrDir, Connections: b.o.Connections, Logger: b.o.Logger,
	})
	v.root = entry.Entry{Key: b.o.Prefix, Kind: entry.Directory, Implicit: true}
	v.root.Attr = b.defaults.Attr(entry.Directory, b.defaults.Started)
	return v
}

// Root returns the directory that is mounted.
func (v *view) Root() entry.Entry {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.root
}

// setRoot takes in the attributes of the directory that is mounted.
func (v *view) setRoot(e entry.Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.root = e
}

// find returns the cached state of a key: of a file, or of a directory if rel ends in
// "/".
func (v *view) find(dir, rel string) (entry.Entry, listing.Knowledge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.row(dir, rel)
}

// row is find for callers that hold v.mu.
func (v *view) row(dir, rel string) (entry.Entry, listing.Knowledge) {
	if len(v.hidden) > 0 && v.hidden[entry.RowID(dir, rel)] != nil {
		return entry.Entry{}, listing.Absent
	}
	return v.known.Find(dir, rel)
}

// lookupKnown finds a name in the caches.
func (v *view) lookupKnown(nm name) (entry.Entry, listing.Knowledge) {
	v.mu.Lock()
	defer v.mu.Unlock()
	fe, file := v.row(nm.dir, nm.rel)
	if nm.rel == "" && file == listing.Present && fe.Size == 0 {
		file = listing.Absent // the marker is no file
	}
	if v.pending.get(nm.dir, nm.rel) != nil {
		file = listing.Present
	}
	if nm.form == formFile || nm.form == formPlain && file != listing.Absent {
		return fe, file
	}
	de, sub := v.row(nm.dir, nm.rel+"/")
	if v.keys.IsReserved(nm.dir, nm.rel+"/") {
		return entry.Entry{}, listing.Absent
	}
	if sub == listing.Unknown && v.pending.below(nm.dir+nm.rel+"/") {
		return v.implicit(nm.key() + "/"), listing.Present
	}
	if nm.form == formDir && !isDots(baseName(nm.rel)) {
		// This form of the name is a directory only if an object has the plain form.
		switch {
		case sub == listing.Absent || file == listing.Absent:
			return entry.Entry{}, listing.Absent
		case sub == listing.Unknown || file == listing.Unknown:
			return entry.Entry{}, listing.Unknown
		}
	}
	return de, sub
}

// lookupPending finds a file that is not yet in S3.
func (v *view) lookupPending(nm name) (entry.Entry, bool) {
	if !nm.file() {
		return entry.Entry{}, false
	}
	p := v.pending.get(nm.dir, nm.rel)
	if p == nil {
		return entry.Entry{}, false
	}
	return p.PendingEntry(), true
}

// justAbsent reports whether a file was absent within the time in which the
// parts of one operation of a program agree.
func (v *view) justAbsent(nm name) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	id := entry.RowID(nm.dir, nm.rel)
	if v.hidden[id] != nil {
		return true
	}
	return v.known.JustAbsent(nm.dir, nm.rel)
}

// visible returns the cached state of a directory's content in S3: the number of
// children (at least one of them exists if rows > 0), whether this is complete, and
// whether there is a marker. A pending file is not a child, because its upload may
// fail.
func (v *view) visible(dir string) (rows int, complete, explicit bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	c := v.known.Content(dir, func(id string) bool { return v.hidden[id] != nil })
	return c.Rows, c.Complete, c.Explicit
}

// note records a change by this mount, or a version that it saw.
func (v *view) note(c entry.Change) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if !c.Seen {
		v.drop(c.Entry.Key)
	}
	if v.o.Resized != nil && c.Own {
		v.resized(c)
	}
	v.known.Note(c)
	v.index.Note(c)
}

// resized passes on by how much a change makes the objects larger. v.mu is held.
func (v *view) resized(c entry.Change) {
	dir, rel := v.keys.SplitFile(c.Entry.Key)
	var old, now int64
	if e, k := v.known.Find(dir, rel); k == listing.Present {
		old = e.Size
	}
	if !c.Gone {
		now = c.Entry.Size
	}
	v.o.Resized(c.Entry.Key, now-old)
}

// learn takes in the answer to a request for one key. It reports whether the answer is
// current: this mount has not changed the key meanwhile.
func (v *view) learn(answer *listing.Answer, c entry.Change) (current bool) {
	if !c.Seen {
		v.drop(c.Entry.Key)
	}
	known, current := answer.Learn(c)
	if current {
		v.index.Note(known)
	}
	return current
}

// Observe records the answer to a GET or HEAD of a key.
func (v *view) Observe(e entry.Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	dir, rel := v.keys.SplitFile(e.Key)
	v.index.Note(v.known.Saw(e, v.pending.get(dir, rel) != nil))
}

// Committed records a version that this mount has just written. It is valid longer than
// a version of another writer.
func (v *view) Committed(e entry.Entry) {
	v.note(entry.Change{Entry: e, Own: true})
}

// forget drops the cached state of an entry, so that the next lookup asks S3.
func (v *view) forget(e entry.Entry) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.drop(e.Key)
	v.known.Forget(e)
}

// Invalidate drops the cached state of a key, and of all keys below it if it is a
// directory.
func (v *view) Invalidate(key string) {
	v.forget(entry.Entry{Key: key})
	if !strings.HasSuffix(key, "/") && key != "" {
		return
	}
	v.forget(entry.Entry{Key: key, Kind: entry.Directory})
	v.known.ForgetTree(key)
}

func (v *view) invalidateAll() {
	v.known.ForgetAll()
	v.byKey.Purge()
	v.index.Forget()
}

// TTL returns how long the kernel may believe an entry.
func (v *view) TTL(e entry.Entry) time.Duration { return v.known.TTL(e) }

// NegativeTTL returns how long the kernel may believe that a name is absent from a
// directory.
func (v *view) NegativeTTL(dir entry.Entry) time.Duration {
	base, _ := v.keys.Stem(dir)
	return v.known.NegativeTTL(base)
}
