package namespace

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
)

// knowledge says how much is known of a key.
type knowledge uint8

const (
	unknown knowledge = iota
	absent
	present
)

// dirNode holds the pages of one directory: sorted by from, not overlapping.
type dirNode struct{ pages []*page }

func pageCost(_ string, p *page) int64 { return p.cost() }

// pageKey names a page in the cache.
func pageKey(p *page) string { return p.dir + "\x00" + p.from }

// initKnown makes the empty caches. Pages get the most of the memory: they
// hold what listings tell in a third of the space of a fact.
func (n *Namespace) initKnown() {
	facts := n.o.MemoryLimit / 4
	n.facts = cache.NewMetadata(facts, factCost)
	n.pages = cache.NewMetadata(n.o.MemoryLimit-facts, pageCost)
	n.facts.OnCharge(n.o.Charge)
	n.pages.OnCharge(n.o.Charge)
	n.pages.OnEvict(func(_ string, p *page) { n.unlinkPage(p) })
	n.dirs = map[string]*dirNode{}
	n.hints = cache.NewMetadata(hintsLimit, hintCost)
	n.recent = cache.NewMetadata(rememberMemory, rememberedCost)
}

// unlinkPage takes a page out of its directory. n.mu is held.
func (n *Namespace) unlinkPage(p *page) {
	d := n.dirs[p.dir]
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
		delete(n.dirs, p.dir)
	}
}

// dropPage forgets a page. n.mu is held.
func (n *Namespace) dropPage(p *page) {
	n.unlinkPage(p)
	n.pages.Delete(pageKey(p))
}

// dropDir forgets all pages of a directory. n.mu is held.
func (n *Namespace) dropDir(prefix string) {
	if d := n.dirs[prefix]; d != nil {
		for _, p := range slices.Clone(d.pages) {
			n.dropPage(p)
		}
	}
}

// addPage takes in what a listing told of a stretch of a directory. n.mu is held.
func (n *Namespace) addPage(p *page) {
	if d := n.dirs[p.dir]; d != nil {
		for _, q := range slices.Clone(d.pages) {
			if !overlap(p, q) {
				continue
			}
			n.carry(p, q)
			if within(p, q) && n.now().Before(q.until) {
				// A part of what is still believed: all of it stays together.
				n.pages.Delete(pageKey(q))
				q.overlay(p)
				n.pages.Put(pageKey(q), q, q.until)
				return
			}
			n.cut(q, p)
		}
	}
	p.seal()
	p.until = p.when.Add(n.pageTTL(p))
	n.insertPage(p)
}

func overlap(p, q *page) bool {
	return (p.end || q.from < p.to) && (q.end || p.from < q.to)
}

// within reports whether q covers more than p and all of it.
func within(p, q *page) bool {
	wider := p.from != q.from || p.end != q.end || p.to != q.to
	return wider && q.from <= p.from && (q.end || !p.end && p.to <= q.to)
}

// insertPage hangs a page into its directory. n.mu is held.
func (n *Namespace) insertPage(p *page) {
	d := n.dirs[p.dir]
	if d == nil {
		d = &dirNode{}
		n.dirs[p.dir] = d
	}
	i := sort.Search(len(d.pages), func(i int) bool { return d.pages[i].from > p.from })
	d.pages = slices.Insert(d.pages, i, p)
	n.pages.Put(pageKey(p), p, p.until)
}

// carry copies to p the attributes that q knows of versions that p still has.
func (n *Namespace) carry(p, q *page) {
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

// cut takes the stretch of p out of q, an older page that overlaps it. What q
// knows behind p is dropped if it also knows something before it.
func (n *Namespace) cut(q, p *page) {
	n.dropPage(q)
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
	n.insertPage(q)
}

// forget drops what is cached of an entry, so that the next look asks S3. n.mu is held.
func (n *Namespace) forget(e Entry) {
	n.facts.Delete(e.ID())
	n.recent.Delete(e.Key)
	dir, rel := n.keys.RowOf(e)
	p := n.pageOf(dir, rel)
	if p == nil {
		return
	}
	n.dropPage(p)
	after := p.punch(rel)
	if p.to > p.from {
		n.insertPage(p)
	}
	if after.end || after.to > after.from {
		n.insertPage(after)
	}
}

// pageOf returns the page that covers rel, fresh or not. n.mu is held.
func (n *Namespace) pageOf(dir, rel string) *page {
	d := n.dirs[dir]
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
// or was listed after since. n.mu is held.
func (n *Namespace) freshAfter(dir, rel string, since time.Time) *page {
	d := n.dirs[dir]
	if d == nil {
		return nil
	}
	i := sort.Search(len(d.pages), func(i int) bool { return d.pages[i].from > rel }) - 1
	if i < 0 {
		return nil
	}
	p := d.pages[i]
	if (p.end || rel < p.to) && (n.now().Before(p.until) || !p.when.Before(since)) {
		n.pages.Get(pageKey(p)) // most recently used
		return p
	}
	return nil
}

// find tells what is known of a key now: of a file, or of a directory if rel
// ends in "/". n.mu is held.
func (n *Namespace) find(dir, rel string) (Entry, knowledge) {
	id := entry.RowID(dir, rel)
	if n.hidden[id] != nil {
		return Entry{}, absent
	}
	now := n.now()
	f, haveFact := n.facts.Get(id)
	haveFact = haveFact && now.Before(f.Until)
	p := n.pageOf(dir, rel)
	if p != nil && now.Before(p.until) && (!haveFact || f.Since.Before(p.when)) {
		n.pages.Get(pageKey(p)) // most recently used
		i, found := p.search(rel)
		if !found {
			return Entry{}, absent
		}
		return n.entry(p, &p.rows[i]), present
	}
	switch {
	case !haveFact:
		return Entry{}, unknown
	case f.Negative:
		return Entry{}, absent
	}
	e := f.Value.entry()
	e.Key = dir + rel
	return e, present
}

// note applies a change, also to what listings under way will bring. n.mu is held.
func (n *Namespace) note(m entry.Change) {
	for f := range n.fills {
		if strings.HasPrefix(m.Entry.Key, f.prefix) {
			f.muts = append(f.muts, m)
		}
	}
	n.apply(m)
}

// apply brings the caches to what a entry.Change says. n.mu is held.
func (n *Namespace) apply(m entry.Change) {
	now := n.now()
	id := m.Entry.ID()
	dir, rel := n.keys.RowOf(m.Entry)
	if !m.Seen {
		n.recent.Delete(m.Entry.Key)
	}
	switch {
	case m.Gone && m.Own:
		n.facts.PutNegative(id, now.Add(n.o.TTL))
	case m.Gone:
		n.facts.PutNegative(id, now.Add(min(negativeTTL, n.o.TTL)))
	default:
		e := m.Entry
		n.facts.Put(id, newFact(e, m.Own), now.Add(n.ttlOf(e.LastModified, m.Own)))
	}
	n.patch(dir, rel, m)
	n.index.Note(m)
	if !m.Gone {
		n.ensureParent(dir)
	}
	if m.Entry.Kind == Directory {
		m.Gone = m.Gone || m.Entry.Implicit
		n.patch(m.Entry.Key, "", m) // the marker is the first row of its own directory
	}
}

// patch corrects the page that covers a row. n.mu is held.
func (n *Namespace) patch(dir, rel string, m entry.Change) {
	p := n.pageOf(dir, rel)
	if p == nil {
		return
	}
	n.pages.Delete(pageKey(p)) // its cost changes
	if m.Gone {
		p.remove(rel)
	} else {
		p.put(rel, &m.Entry, m.Own)
	}
	if len(p.rows) > maxPageRows {
		n.insertPage(p.splitHalf())
	}
	n.pages.Put(pageKey(p), p, p.until)
}

// ensureParent makes sure that a directory that has a child is listed by its
// own parent. n.mu is held.
func (n *Namespace) ensureParent(dir string) {
	for dir != n.o.Prefix {
		parent, rel := n.keys.Split(dir)
		p := n.pageOf(parent, rel)
		if p == nil {
			return
		}
		if _, found := p.search(rel); found {
			return
		}
		e := Entry{Key: dir, Kind: Directory, Implicit: true}
		n.patch(parent, rel, entry.Change{Entry: e})
		dir = parent
	}
}

// minTrust is the shortest time that anything is believed, unless Options.TTL
// is shorter still: within it the parts of one operation of a program agree.
const minTrust = time.Second

// ttlOf tells how long a version is believed: as NFS does, a tenth of its age,
// but at least a second and at most Options.TTL. What this mount wrote itself
// is believed the longest.
func (n *Namespace) ttlOf(lastModified time.Time, own bool) time.Duration {
	if own || lastModified.IsZero() {
		return n.o.TTL
	}
	age := time.Since(lastModified)
	return min(max(age/10, minTrust), n.o.TTL)
}

func (n *Namespace) now() time.Time { return time.Now() }
