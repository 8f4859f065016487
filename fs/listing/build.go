package listing

import (
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// builder turns a listing into pages.
type builder struct {
	c      *Cache
	when   time.Time
	told   time.Time
	from   string // full key after which the listing began, "" for the beginning
	token  string // "" if the listing is at its end
	isFlat bool
	open   []*page
	done   []*page
}

// begin opens the page of a directory.
func (b *builder) begin(dir string) *page {
	p := &page{dir: dir, when: b.when, told: b.told}
	if strings.HasPrefix(b.from, dir) {
		p.from = skipBelow(b.from[len(dir):])
	}
	b.open = append(b.open, p)
	return p
}

// finish closes the innermost page. Its stretch goes up to last, or to the end.
func (b *builder) finish(last string, end bool) {
	p := b.open[len(b.open)-1]
	b.open = b.open[:len(b.open)-1]
	p.end = end
	if !end {
		p.to = skipBelow(last[len(p.dir):])
		if b.isFlat {
			p.next = last
		}
		if p.to <= p.from {
			return // nothing new
		}
	}
	b.done = append(b.done, p)
}

// skipBelow turns a position below a subdirectory into the end of that
// subdirectory: nothing there adds a row to the listing of this directory.
func skipBelow(rel string) string {
	if i := strings.IndexByte(rel, '/'); i >= 0 {
		return rel[:i+1] + highest
	}
	return rel
}

// delimited fills the page of one directory, or of its names that begin with stem.
func (b *builder) delimited(dir, stem string, got *s3.LsPage) {
	b.from = max(b.from, dir+stem)
	if b.from == dir {
		b.from = ""
	}
	p := b.begin(dir)
	objs, dirs := got.Objects, got.CommonPrefixes
	last := b.from
	for len(objs) > 0 || len(dirs) > 0 {
		if len(dirs) == 0 || len(objs) > 0 && objs[0].Key < dirs[0] {
			last = objs[0].Key
			b.object(p, &objs[0])
			objs = objs[1:]
			continue
		}
		last = dirs[0]
		b.subdir(p, dirs[0], nil)
		dirs = dirs[1:]
	}
	p.token = b.token
	switch {
	case b.token != "":
		b.finish(last, false)
	case stem != "":
		b.finish(dir+stem+highest, false)
	default:
		b.finish("", true)
	}
}

// object adds the row of an object to the page of its directory.
func (b *builder) object(p *page, o *s3.ListedObject) {
	rel := o.Key[len(p.dir):]
	if p.from != "" && rel <= p.from {
		return // a server that includes start-after
	}
	e := entry.Entry{Key: o.Key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified}
	p.appendRow(rel, b.c.withAttr(&e))
}

// subdir adds the row of a subdirectory unless it is there. marker is its
// marker, where the listing shows it.
func (b *builder) subdir(p *page, key string, marker *s3.ListedObject) {
	rel := key[len(p.dir):]
	if p.from != "" && rel <= p.from {
		return
	}
	if k := len(p.rows); k > 0 && string(p.relBytes(&p.rows[k-1])) == rel {
		return
	}
	e := entry.Entry{Key: key, Kind: entry.Directory, Implicit: true}
	if marker != nil {
		e.Implicit, e.ETag, e.LastModified = false, marker.ETag, marker.LastModified
	}
	p.appendRow(rel, b.c.withAttr(&e))
}

// flat fills the pages of all directories that a listing without delimiter
// passes through.
func (b *builder) flat(prefix string, got *s3.LsPage) {
	b.isFlat = true
	b.descend(prefix, b.from, nil)
	last := b.from
	for i := range got.Objects {
		o := &got.Objects[i]
		for len(b.open) > 1 && !strings.HasPrefix(o.Key, b.open[len(b.open)-1].dir) {
			b.finish("", true)
		}
		b.descend(b.open[len(b.open)-1].dir, o.Key, o)
		b.object(b.open[len(b.open)-1], o)
		last = o.Key
	}
	if b.token != "" && len(got.Objects) == 0 {
		return
	}
	for len(b.open) > 0 {
		b.finish(last, b.token == "")
	}
}

// descend opens the pages of the directories from dir down to key.
func (b *builder) descend(dir, key string, o *s3.ListedObject) {
	if len(b.open) == 0 {
		b.begin(dir)
	}
	if !strings.HasPrefix(key, dir) {
		return
	}
	for {
		i := strings.IndexByte(key[len(dir):], '/')
		if i < 0 {
			return
		}
		sub := key[:len(dir)+i+1]
		var marker *s3.ListedObject
		if o != nil && sub == o.Key && o.Size == 0 {
			marker = o
		}
		b.subdir(b.open[len(b.open)-1], sub, marker)
		b.begin(sub)
		dir = sub
	}
}

// AddTree takes in a complete listing of everything below a directory.
func (c *Cache) AddTree(dir string, when time.Time, got *s3.LsPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b := builder{c: c, when: when}
	b.flat(dir, got)
	for _, p := range b.done {
		c.addPage(p)
	}
}
