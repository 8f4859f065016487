package listing

import (
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// Row is one name of a directory: an object, or a subdirectory with a rel that ends in
// "/".
type Row struct {
	Rel   string
	Entry entry.Entry
}

// Absent reports whether a page that is still believed has no such row, and when that
// page was listed.
func (c *Cache) Absent(dir, rel string) (listed time.Time, absent bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.at(dir, rel)
	if p == nil || !time.Now().Before(p.until) {
		return time.Time{}, false
	}
	_, found := p.search(rel)
	return p.when, !found
}

// JustAbsent reports whether S3 has shown a file to be absent within the time in which
// the parts of one operation of a program agree.
func (c *Cache) JustAbsent(dir, rel string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, trust := time.Now(), min(MinTrust, c.o.TTL)
	recent := func(t time.Time) bool { return now.Sub(t) < trust }
	if f, ok := c.facts.Get(entry.RowID(dir, rel)); ok && (!f.Negative || recent(f.Since)) {
		return f.Negative
	}
	p := c.pages.at(dir, rel)
	if p == nil || p.assumed || !recent(p.when) {
		return false
	}
	_, found := p.search(rel)
	return !found
}

// JustListed reports whether LISTs within the last max have shown all that is known of a
// directory.
func (c *Cache) JustListed(dir string, max time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	pages, now := c.pages.dirs[dir], time.Now()
	return len(pages) > 0 && !slices.ContainsFunc(pages, func(p *page) bool {
		return p.assumed || now.Sub(p.when) > max
	})
}

// Content is the cached state of a directory's content in S3.
type Content struct {
	Rows     int  // children; at least one if it is not 0
	Complete bool // nothing else is in the directory
	Explicit bool // the directory has a marker
}

// Content returns the cached state of a directory's content. It does not count the
// children whose IDs are hidden.
func (c *Cache) Content(dir string, hidden func(id string) bool) Content {
	c.mu.Lock()
	defer c.mu.Unlock()
	now, out := time.Now(), Content{}
	if f, ok := c.facts.Get(dir); ok && !f.Negative && now.Before(f.Until) {
		out.Explicit = !f.Value.packed.Implicit()
	}
	at := ""
	for _, p := range c.pages.dirs[dir] {
		if !now.Before(p.until) {
			continue
		}
		for i := range p.rows {
			r := &p.rows[i]
			rel := p.rel(r)
			if rel == "" && r.size == 0 {
				out.Explicit = true
			} else if !hidden(entry.RowID(dir, rel)) {
				out.Rows++
			}
		}
		if p.from <= at && !out.Complete {
			at, out.Complete = p.to, p.end
		}
	}
	return out
}

// IsImplicit reports whether no marker of a directory is known.
func (c *Cache) IsImplicit(id string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	f, ok := c.facts.Get(id)
	return !ok || f.Negative || f.Value.packed.Implicit()
}

// Told returns when the LIST that has shown a row ended. ok is false if no page has it.
func (c *Cache) Told(dir, rel string) (told time.Time, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.at(dir, rel)
	if p == nil {
		return time.Time{}, false
	}
	return p.told, true
}

// Complete gives rows of a directory their exact attributes, if they still have the same
// versions.
func (c *Cache) Complete(dir string, rows []Row) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(rows) > 0 {
		p := c.pages.at(dir, rows[0].Rel)
		if p == nil {
			return
		}
		c.pages.change(p, func() {
			for ; len(rows) > 0 && p.covers(rows[0].Rel); rows = rows[1:] {
				p.setAttr(rows[0].Rel, &rows[0].Entry)
			}
		})
	}
}

// CompleteFromFact returns an entry with the attributes that a fact has of the version.
func (c *Cache) CompleteFromFact(e entry.Entry) entry.Entry {
	c.mu.Lock()
	defer c.mu.Unlock()
	return *c.withAttr(&e)
}

// NextUnknown returns the rel of the first file after a row whose attributes are not
// known.
func (c *Cache) NextUnknown(dir, rel string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nextUnknown(dir, rel)
}

// UnknownAfter returns up to limit files after a row whose attributes are not known.
func (c *Cache) UnknownAfter(dir, rel string, limit int) []Row {
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.at(dir, rel)
	if p == nil {
		return nil
	}
	var out []Row
	for i, _ := p.search(rel + "\x00"); i < len(p.rows) && len(out) < limit; i++ {
		if r := &p.rows[i]; r.attr == 0 && r.flags&rowDir == 0 && p.rel(r) != "" {
			out = append(out, Row{p.rel(r), c.entry(p, r)})
		}
	}
	return out
}

// AddEmpty takes in a directory that this mount has made with its marker e. It is known
// to be empty, since no other client can have filled it.
func (c *Cache) AddEmpty(e *entry.Entry) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pages.dropDir(e.Key)
	p := &page{dir: e.Key, end: true, when: time.Now(), assumed: true}
	p.put("", e, true)
	c.addPage(p)
}

// NegativeTTL returns how long a name may be believed to be absent from a directory: as
// long as its listing is believed if it was listed as a whole.
func (c *Cache) NegativeTTL(dir string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if pages := c.pages.dirs[dir]; len(pages) == 1 {
		if p := pages[0]; p.from == "" && p.end {
			return min(max(time.Until(p.until), 0), c.o.TTL)
		}
	}
	return min(negativeTTL, c.o.TTL)
}
