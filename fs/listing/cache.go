package listing

import (
	"slices"
	"sort"
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
	pages *cache.Metadata[*page]
	dirs  map[string]*dirNode // finds the pages
	open  map[*Answer]struct{}
}

// NewCache returns an empty cache. Pages get most of the memory: they hold the rows of
// listings in a third of the space of a fact.
func NewCache(o Options) *Cache {
	c := &Cache{o: o, root: o.Root, defaults: o.Defaults, dirs: map[string]*dirNode{}, open: map[*Answer]struct{}{}}
	facts := o.MemoryLimit / 4
	c.facts = cache.NewMetadata(facts, factCost)
	c.pages = cache.NewMetadata(o.MemoryLimit-facts, pageCost)
	c.facts.OnCharge(o.Charge)
	c.pages.OnCharge(o.Charge)
	c.pages.OnEvict(func(_ string, p *page) { c.unlinkPage(p) })
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
	c.dropTree(prefix)
}

// ForgetAll drops everything.
func (c *Cache) ForgetAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.facts.Purge()
	c.pages.Purge()
	c.dirs = map[string]*dirNode{}
}

// Stats returns the numbers of facts and pages, and the bytes that both take.
func (c *Cache) Stats() (facts, pages int, bytes int64) {
	return c.facts.Len(), c.pages.Len(), c.facts.Bytes() + c.pages.Bytes()
}

// dirNode holds the pages of one directory: sorted by from, not overlapping.
type dirNode struct{ pages []*page }

func pageCost(_ string, p *page) int64 { return p.cost() }

// pageKey names a page in the cache.
func pageKey(p *page) string { return p.dir + "\x00" + p.from }

// unlinkPage takes a page out of its directory. c.mu is held.
func (c *Cache) unlinkPage(p *page) {
	d := c.dirs[p.dir]
	if d == nil {
		return
	}
	for i, q := range d.pages {
		if q == p {
			d.pages = slices.Delete(d.pages, i, i+1)
			break
		}
	}
	if len(d.pages) == 0 {
		delete(c.dirs, p.dir)
	}
}

// dropPage forgets a page. c.mu is held.
func (c *Cache) dropPage(p *page) {
	c.unlinkPage(p)
	c.pages.Delete(pageKey(p))
}

// dropDir forgets all pages of a directory. c.mu is held.
func (c *Cache) dropDir(prefix string) {
	if d := c.dirs[prefix]; d != nil {
		for _, p := range slices.Clone(d.pages) {
			c.dropPage(p)
		}
	}
}

// addPage adds a page. c.mu is held.
func (c *Cache) addPage(p *page) {
	if d := c.dirs[p.dir]; d != nil {
		for _, q := range slices.Clone(d.pages) {
			if !overlap(p, q) {
				continue
			}
			c.carry(p, q)
			if within(p, q) && time.Now().Before(q.until) {
				// The page covers a part of a valid page. Keep all of that page.
				c.pages.Delete(pageKey(q))
				q.overlay(p)
				c.pages.Put(pageKey(q), q, q.until)
				return
			}
			c.cut(q, p)
		}
	}
	p.seal()
	p.until = p.when.Add(c.pageTTL(p))
	c.insertPage(p)
}

func overlap(p, q *page) bool {
	return (p.end || q.from < p.to) && (q.end || p.from < q.to)
}

// within reports whether q covers more than p and all of it.
func within(p, q *page) bool {
	wider := p.from != q.from || p.end != q.end || p.to != q.to
	return wider && q.from <= p.from && (q.end || !p.end && p.to <= q.to)
}

// insertPage hangs a page into its directory. c.mu is held.
func (c *Cache) insertPage(p *page) {
	d := c.dirs[p.dir]
	if d == nil {
		d = &dirNode{}
		c.dirs[p.dir] = d
	}
	i := sort.Search(len(d.pages), func(i int) bool { return d.pages[i].from > p.from })
	d.pages = slices.Insert(d.pages, i, p)
	c.pages.Put(pageKey(p), p, p.until)
}

// carry copies to p the attributes that q knows of versions that p still has.
func (c *Cache) carry(p, q *page) {
	for i := range p.rows {
		r := &p.rows[i]
		if r.attr > 0 {
			continue
		}
		j, found := q.search(p.rel(r))
		if !found {
			continue
		}
		old := &q.rows[j]
		if old.size != r.size || old.mod/1e9 != r.mod/1e9 || p.etag(r) != q.etag(old) {
			continue
		}
		r.flags |= old.flags & rowOwn
		if old.attr > 0 {
			p.addAttr(r, q.attrs[old.attr-1])
		}
	}
}

// cut removes the stretch of p from q, an older page that overlaps it. If q extends
// beyond p on both sides, the part after p is dropped.
func (c *Cache) cut(q, p *page) {
	c.dropPage(q)
	switch {
	case q.from < p.from:
		i, _ := q.search(p.from + "\x00")
		q.rows, q.to, q.end, q.token, q.next = q.rows[:i], p.from, false, "", ""
	case !p.end && (q.end || q.to > p.to):
		i, _ := q.search(p.to + "\x00")
		q.rows, q.from = q.rows[i:], p.to
	default:
		return
	}
	c.insertPage(q)
}

// forget drops the cached state of an entry, so that the next lookup asks S3. c.mu is
// held.
func (c *Cache) forget(e entry.Entry) {
	c.facts.Delete(e.ID())
	dir, rel := c.root.RowOf(e)
	p := c.pageOf(dir, rel)
	if p == nil {
		return
	}
	c.dropPage(p)
	after := p.punch(rel)
	if p.to > p.from {
		c.insertPage(p)
	}
	if after.end || after.to > after.from {
		c.insertPage(after)
	}
}

// pageOf returns the page that covers rel, fresh or not. c.mu is held.
func (c *Cache) pageOf(dir, rel string) *page {
	d := c.dirs[dir]
	if d == nil {
		return nil
	}
	i := sort.Search(len(d.pages), func(i int) bool { return d.pages[i].from > rel }) - 1
	// A page begins after its from, so rel itself may belong to the one before.
	for ; i >= 0; i-- {
		if d.pages[i].covers(rel) {
			return d.pages[i]
		}
		if d.pages[i].from < rel {
			break
		}
	}
	return nil
}

// freshAfter returns the page that holds the rows after rel and is believed,
// or was listed after since. c.mu is held.
func (c *Cache) freshAfter(dir, rel string, since time.Time) *page {
	d := c.dirs[dir]
	if d == nil {
		return nil
	}
	i := sort.Search(len(d.pages), func(i int) bool { return d.pages[i].from > rel }) - 1
	if i < 0 {
		return nil
	}
	p := d.pages[i]
	if (p.end || rel < p.to) && (time.Now().Before(p.until) || !p.when.Before(since)) {
		c.pages.Get(pageKey(p)) // most recently used
		return p
	}
	return nil
}

// find returns the cached state of a key: of a file, or of a directory if rel ends in
// "/". c.mu is held.
func (c *Cache) find(dir, rel string) (entry.Entry, Knowledge) {
	id := entry.RowID(dir, rel)
	now := time.Now()
	f, haveFact := c.facts.Get(id)
	haveFact = haveFact && now.Before(f.Until)
	p := c.pageOf(dir, rel)
	if p != nil && now.Before(p.until) && (!haveFact || f.Since.Before(p.when)) {
		c.pages.Get(pageKey(p)) // most recently used
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
	p := c.pageOf(dir, rel)
	if p == nil {
		return
	}
	c.pages.Delete(pageKey(p)) // its cost changes
	if m.Gone {
		p.remove(rel)
	} else {
		p.put(rel, &m.Entry, m.Own)
	}
	if len(p.rows) > maxPageRows {
		c.insertPage(p.splitHalf())
	}
	c.pages.Put(pageKey(p), p, p.until)
}

// ensureParent makes sure that a directory that has a child is listed by its
// own parent. c.mu is held.
func (c *Cache) ensureParent(dir string) {
	for dir != string(c.root) {
		parent, rel := c.root.Split(dir)
		p := c.pageOf(parent, rel)
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
	p := c.pageOf(key, "")
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

// setAttr notes the attributes of a row, if it still is of the same version.
func (p *page) setAttr(rel string, e *entry.Entry) {
	i, found := p.search(rel)
	if !found {
		return
	}
	r := &p.rows[i]
	if r.size != e.Size || r.attr > 0 || p.etag(r) != e.ETag {
		return
	}
	p.addAttr(r, specialOf(e))
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
	if p := c.pageOf(dir, rel); p != nil {
		left = max(left, p.until.Sub(now))
	}
	return min(max(left, time.Second), c.o.TTL)
}

// dropTree forgets all pages of a directory and of those below it. c.mu is held.
func (c *Cache) dropTree(prefix string) {
	for dir := range c.dirs {
		if strings.HasPrefix(dir, prefix) {
			c.dropDir(dir)
		}
	}
}

// nextUnknown returns the first file after a row of which no attributes are known.
// c.mu is held.
func (c *Cache) nextUnknown(dir, rel string) string {
	p := c.pageOf(dir, rel+"\x00")
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
