package listing

import (
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// Knowledge says how much is known of a key.
type Knowledge uint8

// The values of Knowledge.
const (
	Unknown Knowledge = iota
	Absent
	Present
)

// Cache holds what LIST, HEAD and the changes of this mount have shown of names: pages of
// directories and facts of single keys. Anything in it may vanish at any time.
type Cache struct {
	o        Options
	root     entry.Root
	defaults entry.Defaults

	mu    lockorder.Mutex[lockorder.Cache]
	facts *cache.Metadata[fact] // by Entry.ID
	pages *pageSet
	open  map[*Answer]struct{}
}

// NewCache returns an empty cache. Pages get most of the memory: they hold the rows of
// listings in a third of the space of a fact.
func NewCache(o Options) *Cache {
	c := &Cache{o: o, root: o.Root, defaults: o.Defaults, open: map[*Answer]struct{}{}}
	facts := o.MemoryLimit / 4
	c.facts = cache.NewMetadata(facts, factCost)
	c.facts.OnCharge(o.Charge)
	c.pages = newPageSet(o.MemoryLimit-facts, o.Charge)
	return c
}

// Find returns the cached state of a key: of a file, or of a directory if rel ends in
// "/".
func (c *Cache) Find(dir, rel string) (entry.Entry, Knowledge) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.find(dir, rel)
}

// Note records a change of a key.
func (c *Cache) Note(ch entry.Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.note(ch)
}

// Saw takes in a version that a request has shown. own says that this mount has written
// the version, as far as the caller knows. Saw returns the change that it noted.
func (c *Cache) Saw(e entry.Entry, own bool) entry.Change {
	c.mu.Lock()
	defer c.mu.Unlock()
	ch := entry.Change{Entry: e, Own: own || c.isOwn(e), Seen: true}
	c.note(ch)
	return ch
}

// Forget drops the cached state of an entry, so that the next lookup asks S3.
func (c *Cache) Forget(e entry.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(e)
}

// ForgetTree drops all pages of a directory and of the directories below it.
func (c *Cache) ForgetTree(prefix string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages.dropTree(prefix)
}

// ForgetAll drops everything.
func (c *Cache) ForgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.Purge()
	c.pages.purge()
}

// Stats returns the numbers of facts and pages, and the bytes that both take.
func (c *Cache) Stats() (facts, pages int, bytes int64) {
	return c.facts.Len(), c.pages.lru.Len(), c.facts.Bytes() + c.pages.lru.Bytes()
}

// forget drops the cached state of an entry, so that the next lookup asks S3. c.mu is
// held.
func (c *Cache) forget(e entry.Entry) {
	c.facts.Delete(e.ID())
	dir, rel := c.root.RowOf(e)
	p := c.pages.at(dir, rel)
	if p == nil {
		return
	}
	c.pages.drop(p)
	after := p.punch(rel)
	if p.to > p.from {
		c.pages.insert(p)
	}
	if after.end || after.to > after.from {
		c.pages.insert(after)
	}
}

// find returns the cached state of a key: of a file, or of a directory if rel ends in
// "/". c.mu is held.
func (c *Cache) find(dir, rel string) (entry.Entry, Knowledge) {
	id := entry.RowID(dir, rel)
	now := time.Now()
	f, haveFact := c.facts.Get(id)
	haveFact = haveFact && now.Before(f.Until)
	p := c.pages.at(dir, rel)
	if p != nil && now.Before(p.until) && (!haveFact || f.Since.Before(p.when)) {
		c.pages.touch(p)
		i, found := p.search(rel)
		if !found {
			return entry.Entry{}, Absent
		}
		return c.entry(p, &p.rows[i]), Present
	}
	switch {
	case !haveFact:
		return entry.Entry{}, Unknown
	case f.Negative:
		return entry.Entry{}, Absent
	}
	e := f.Value.entry()
	e.Key = dir + rel
	return e, Present
}

// note applies a change to the cache, and to the answers of requests that are under way.
// c.mu is held.
func (c *Cache) note(m entry.Change) {
	for f := range c.open {
		if strings.HasPrefix(m.Entry.Key, f.prefix) {
			f.changes = append(f.changes, m)
		}
	}
	c.apply(m)
}

// apply brings the cache to the state after a change. c.mu is held.
func (c *Cache) apply(m entry.Change) {
	now := time.Now()
	id := m.Entry.ID()
	dir, rel := c.root.RowOf(m.Entry)
	switch {
	case m.Gone && m.Own:
		c.facts.PutNegative(id, now.Add(c.o.TTL))
	case m.Gone:
		c.facts.PutNegative(id, now.Add(min(negativeTTL, c.o.TTL)))
	default:
		e := m.Entry
		c.facts.Put(id, newFact(e, m.Own), now.Add(c.ttlOf(e.LastModified, m.Own)))
	}
	c.patch(dir, rel, m)
	if !m.Gone {
		c.ensureParent(dir)
	}
	if m.Entry.Kind == entry.Directory {
		m.Gone = m.Gone || m.Entry.Implicit
		c.patch(m.Entry.Key, "", m) // the marker is the first row of its own directory
	}
}

// patch corrects the page that covers a row. c.mu is held.
func (c *Cache) patch(dir, rel string, m entry.Change) {
	p := c.pages.at(dir, rel)
	if p == nil {
		return
	}
	c.pages.change(p, func() {
		if m.Gone {
			p.remove(rel)
		} else {
			p.put(rel, &m.Entry, m.Own)
		}
		if len(p.rows) > maxPageRows {
			c.pages.insert(p.splitHalf())
		}
	})
}

// ensureParent makes sure that a directory that has a child is listed by its
// own parent. c.mu is held.
func (c *Cache) ensureParent(dir string) {
	for dir != string(c.root) {
		parent, rel := c.root.Split(dir)
		p := c.pages.at(parent, rel)
		if p == nil {
			return
		}
		if _, found := p.search(rel); found {
			return
		}
		e := entry.Entry{Key: dir, Kind: entry.Directory, Implicit: true}
		c.patch(parent, rel, entry.Change{Entry: e})
		dir = parent
	}
}

// MinTrust is the shortest time that anything is believed, unless Options.TTL
// is shorter still: within it the parts of one operation of a program agree.
const MinTrust = time.Second

// ttlOf returns how long a version is valid: a tenth of its age as in NFS, but at least
// a second and at most Options.TTL. Versions that this mount wrote are valid for
// Options.TTL.
func (c *Cache) ttlOf(lastModified time.Time, own bool) time.Duration {
	if own || lastModified.IsZero() {
		return c.o.TTL
	}
	age := time.Since(lastModified)
	return min(max(age/10, MinTrust), c.o.TTL)
}

// Directory returns a directory whose attributes are known from a fact.
func (c *Cache) Directory(key string) (entry.Entry, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.facts.Get(key)
	if !ok || f.Negative || !time.Now().Before(f.Until) {
		return entry.Entry{}, false
	}
	e := f.Value.entry()
	e.Key = key
	return e, e.Exact && e.Kind == entry.Directory
}

// Marker returns the marker of a directory as a listing of the directory
// itself shows it, without its attributes, and how long the listing is believed.
// The entry is Implicit if there is no marker. ok is false if no listing is known.
func (c *Cache) Marker(key string) (marker entry.Entry, until time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.at(key, "")
	if p == nil || p.assumed || !time.Now().Before(p.until) {
		return entry.Entry{}, time.Time{}, false
	}
	marker = entry.Entry{Key: key, Kind: entry.Directory, Implicit: true}
	if i, found := p.search(""); found && p.rows[i].size == 0 {
		r := &p.rows[i]
		marker.Implicit, marker.ETag, marker.LastModified = false, p.etag(r), entry.UnpackTime(r.mod)
	}
	marker.Attr = c.defaults.Attr(entry.Directory, marker.LastModified)
	return marker, p.until, true
}

// NoteNoMarker remembers for some time that a directory has no marker, and returns
// the directory. If this mount has written a marker meanwhile, it returns that.
func (c *Cache) NoteNoMarker(key string, until time.Time) entry.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.facts.Get(key); ok && !f.Negative && time.Now().Before(f.Until) && f.Value.own {
		e := f.Value.entry()
		e.Key = key
		return e
	}
	e := entry.Entry{Key: key, Kind: entry.Directory, Implicit: true, Exact: true, Attr: c.defaults.Attr(entry.Directory, c.defaults.Started)}
	c.facts.Put(key, newFact(e, false), until)
	return e
}

// isOwn reports whether this mount is known to have written a version. c.mu is held.
func (c *Cache) isOwn(e entry.Entry) bool {
	f, ok := c.facts.Get(e.ID())
	return ok && !f.Negative && f.Value.own && f.Value.entry().ETag == e.ETag
}

// TTL returns how long the kernel may believe an entry.
func (c *Cache) TTL(e entry.Entry) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	left := time.Duration(0)
	if f, ok := c.facts.Get(e.ID()); ok && !f.Negative {
		left = f.Until.Sub(now)
	}
	dir, rel := c.root.Split(e.Key)
	if p := c.pages.at(dir, rel); p != nil {
		left = max(left, p.until.Sub(now))
	}
	return min(max(left, time.Second), c.o.TTL)
}

// nextUnknown returns the first file after a row of which no attributes are known.
// c.mu is held.
func (c *Cache) nextUnknown(dir, rel string) string {
	p := c.pages.at(dir, rel+"\x00")
	if p == nil {
		return ""
	}
	for i, _ := p.search(rel + "\x00"); i < len(p.rows); i++ {
		if r := &p.rows[i]; r.attr == 0 && r.flags&rowDir == 0 {
			return p.rel(r)
		}
	}
	return ""
}

// negativeTTL is how long a 404 is believed at most. Programs look for the
// same absent names again and again within moments, and people wait for files
// that another machine makes.
const negativeTTL = 5 * time.Second

// withAttr adds the attributes that a fact knows of the same versioc. c.mu is held.
func (c *Cache) withAttr(e *entry.Entry) *entry.Entry {
	f, ok := c.facts.Get(e.ID())
	if !ok || f.Negative {
		return e
	}
	known := f.Value.entry()
	known.Key = e.Key
	switch {
	case e.Kind == entry.Directory && e.Implicit && !known.Implicit && time.Now().Before(f.Until):
		return &known // a common prefix does not show the marker that is known
	case known.Exact && entry.SameVersion(&known, e, f.Value.own):
		e.Kind, e.Attr, e.Target, e.Exact = known.Kind, known.Attr, known.Target, true
	}
	return e
}

// addPage takes in what a listing has shown of a stretch of a directory. c.mu is held.
func (c *Cache) addPage(p *page) { c.pages.add(p, c.pageTTL) }

// pageTTL returns how long a page is believed: as long as its youngest object
// that another wrote.
func (c *Cache) pageTTL(p *page) time.Duration {
	youngest := int64(entry.NoTime)
	for i := range p.rows {
		if r := &p.rows[i]; r.flags&rowOwn == 0 && r.mod > youngest {
			f, ok := c.facts.Get(entry.RowID(p.dir, p.rel(r)))
			if ok && !f.Negative && f.Value.own && f.Value.entry().ETag == p.etag(r) {
				r.flags |= rowOwn
				continue
			}
			youngest = r.mod
		}
	}
	return c.ttlOf(entry.UnpackTime(youngest), false)
}
