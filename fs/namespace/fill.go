package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// fill is a listing under way. A LIST that began before a change of this mount
// and ends after it may show either state, so the change is applied to what
// the LIST brings.
type fill struct {
	prefix string
	muts   []entry.Change
}

// beginFill and endFill surround a request whose answer may be older than a
// change that this mount makes meanwhile. note takes the answer in.
func (n *Namespace) beginFill(prefix string) *fill {
	f := &fill{prefix: prefix}
	n.mu.Lock()
	n.fills[f] = struct{}{}
	n.mu.Unlock()
	return f
}

func (n *Namespace) endFill(f *fill, note func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.fills, f)
	if note == nil {
		return
	}
	note()
	for _, m := range f.muts {
		n.apply(m)
	}
}

// stretch is one LIST of keys in order: of one directory if delimited,
// otherwise of everything below it.
type stretch struct {
	dir       string // prefix of a directory
	stem      string // only names that begin so; delimited only
	from      string // full key: start after it; "" is the beginning
	token     string // continues an earlier LIST; goes before from
	delimited bool
	max       int // keys; 0 is s3.MaxListKeys
}

// flight is a LIST that several may wait for.
type flight struct {
	when    time.Time
	waiters int // guarded by Namespace.mu
	done    chan struct{}
	got     listing
	err     error
}

// errUnwanted ends a LIST of several pages once nobody waits for it.
var errUnwanted = errors.New("nobody waits for the listing")

// listing is what a LIST brought.
type listing struct {
	stretch
	when  time.Time
	token string  // continues it; "" at the end
	to    string  // the row up to which a delimited LIST told
	more  bool    // there are rows after to
	rows  int     // of a delimited LIST
	pages []*page // also those for which there is no room in the cache; guarded by Namespace.mu

	raw  *s3.LsPage     // what S3 told
	muts []entry.Change // and what this mount changed meanwhile
}

// fetch performs one LIST and puts what it tells into the cache. Callers that
// want the same at the same time share it. A caller that gives up leaves the
// LIST to the others.
func (n *Namespace) fetch(ctx context.Context, s stretch) (listing, error) {
	return n.fetchSince(ctx, s, time.Time{})
}

// fetchSince is fetch for a reader that began at a time. What came into the
// cache between the caller's look and this one is the answer. Where nothing may
// be believed, the reader shares no LIST that began before it.
func (n *Namespace) fetchSince(ctx context.Context, s stretch, since time.Time) (listing, error) {
	n.mu.Lock()
	if got, ok := n.came(s, since); ok {
		n.mu.Unlock()
		return got, nil
	}
	fl := n.flights[s]
	if fl == nil || n.o.TTL < minTrust && fl.when.Before(since) {
		fl = &flight{when: n.now(), done: make(chan struct{})}
		n.flights[s] = fl
		n.jobs.Go(func(context.Context) {
			fl.got, fl.err = n.list(n.jobs.Context(), s, func() bool { return n.isWanted(s, fl) })
			n.mu.Lock()
			if n.flights[s] == fl {
				delete(n.flights, s)
			}
			n.mu.Unlock()
			close(fl.done)
		})
	}
	fl.waiters++
	n.mu.Unlock()
	defer func() {
		n.mu.Lock()
		fl.waiters--
		n.mu.Unlock()
	}()
	select {
	case <-fl.done:
		return fl.got, fl.err
	case <-ctx.Done():
		return listing{}, fmt.Errorf("list %q: %w", s.dir, context.Cause(ctx))
	case <-n.jobs.Context().Done():
		return listing{}, fmt.Errorf("list %q: %w", s.dir, ErrClosed)
	}
}

// isWanted reports whether somebody waits for a LIST. One that nobody waits for
// is shared no longer.
func (n *Namespace) isWanted(s stretch, fl *flight) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if fl.waiters == 0 && n.flights[s] == fl {
		delete(n.flights, s)
	}
	return fl.waiters > 0
}

// came returns what the cache holds of a stretch by now. n.mu is held.
func (n *Namespace) came(s stretch, since time.Time) (listing, bool) {
	if since.IsZero() || !s.delimited || s.stem != "" {
		return listing{}, false
	}
	p := n.freshAfter(s.dir, strings.TrimPrefix(s.from, s.dir), since)
	if p == nil || s.from == "" && p.from != "" {
		return listing{}, false
	}
	p = p.snapshot() // the one in the cache may be gone before the caller looks again
	return listing{stretch: s, when: p.when, token: p.token, to: p.to, more: !p.end, rows: len(p.rows), pages: []*page{p}}, true
}

// pageIn returns the page of a listing that tells what follows a row of a
// directory, or nil. Where changes have cut the page up since, it is made anew
// out of the answer of S3. n.mu is held.
func (n *Namespace) pageIn(got *listing, dir, rel string) *page {
	follows := func(p *page) bool { return p.dir == dir && p.from <= rel && (p.end || rel < p.to) }
	if i := slices.IndexFunc(got.pages, follows); i >= 0 {
		return got.pages[i]
	}
	if got.raw == nil || !got.delimited {
		return nil
	}
	b := builder{n: n, when: got.when, told: n.now(), from: got.from, token: got.token}
	b.delimited(got.dir, got.stem, got.raw)
	if len(b.done) == 0 || !follows(b.done[0]) {
		return nil
	}
	p := b.done[0]
	for _, m := range got.muts {
		switch in, rel := n.keys.RowOf(m.Entry); {
		case in != dir || !p.covers(rel):
		case m.Gone:
			p.remove(rel)
		default:
			p.put(rel, &m.Entry, m.Own)
		}
	}
	return p
}

// list performs one LIST and puts what it tells into the cache. It begins no
// further page once nobody wants it.
func (n *Namespace) list(ctx context.Context, s stretch, wanted func() bool) (listing, error) {
	f := n.beginFill(s.dir)
	when := n.now()
	got, err := n.lsWhile(ctx, s, wanted)
	if err != nil {
		n.endFill(f, nil)
		return listing{}, fmt.Errorf("list %q: %w", s.dir, err)
	}
	b := builder{n: n, when: when, told: n.now(), from: s.from, token: got.NextToken}
	res := listing{stretch: s, when: when, token: got.NextToken, more: got.NextToken != "", raw: got}
	n.endFill(f, func() {
		if s.delimited {
			b.delimited(s.dir, s.stem, got)
			res.rows = len(got.Objects) + len(got.CommonPrefixes)
		} else {
			b.flat(s.dir, got)
		}
		for _, p := range b.done {
			res.to = p.to
			n.addPage(p)
		}
		res.pages, res.muts = b.done, f.muts
	})
	return res, nil
}

// ls asks S3 until a page has rows or is the last: some servers answer with
// empty pages in between. Package s3 bounds their number.
func (n *Namespace) ls(ctx context.Context, s stretch) (*s3.LsPage, error) {
	return n.lsWhile(ctx, s, func() bool { return true })
}

// lsWhile is ls that begins no further page once wanted returns false.
func (n *Namespace) lsWhile(ctx context.Context, s stretch, wanted func() bool) (*s3.LsPage, error) {
	in := &s3.LsInput{
		Bucket: n.o.Bucket, Prefix: s.dir + s.stem, MaxKeys: s.max,
		ContinuationToken: s.token, StartAfter: s.from,
	}
	if s.delimited {
		in.Delimiter = "/"
	}
	for {
		got, err := n.store.Ls(ctx, in)
		if err != nil {
			return nil, err
		}
		if got.NextToken == "" || len(got.Objects)+len(got.CommonPrefixes) > 0 {
			return got, nil
		}
		if !wanted() {
			return nil, errUnwanted
		}
		in.ContinuationToken = got.NextToken
	}
}

// builder turns a listing into pages.
type builder struct {
	n      *Namespace
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
	e := Entry{Key: o.Key, Size: o.Size, ETag: o.ETag, LastModified: o.LastModified}
	p.appendRow(rel, b.n.withAttr(&e))
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
	e := Entry{Key: key, Kind: Directory, Implicit: true}
	if marker != nil {
		e.Implicit, e.ETag, e.LastModified = false, marker.ETag, marker.LastModified
	}
	p.appendRow(rel, b.n.withAttr(&e))
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

// withAttr adds the attributes that a fact knows of the same version. n.mu is held.
func (n *Namespace) withAttr(e *Entry) *Entry {
	f, ok := n.facts.Get(e.ID())
	if !ok || f.Negative {
		return e
	}
	known := f.Value.entry()
	known.Key = e.Key
	switch {
	case e.Kind == Directory && e.Implicit && !known.Implicit && n.now().Before(f.Until):
		return &known // a common prefix does not tell of the marker that is known
	case known.Exact && entry.SameVersion(&known, e, f.Value.own):
		e.Kind, e.Attr, e.Target, e.Exact = known.Kind, known.Attr, known.Target, true
	}
	return e
}

// pageTTL tells how long a page is believed: as long as its youngest object
// that another wrote.
func (n *Namespace) pageTTL(p *page) time.Duration {
	youngest := int64(entry.NoTime)
	for i := range p.rows {
		if r := &p.rows[i]; r.flags&rowOwn == 0 && r.mod > youngest {
			f, ok := n.facts.Get(entry.RowID(p.dir, p.rel(r)))
			if ok && !f.Negative && f.Value.own && f.Value.entry().ETag == p.etag(r) {
				r.flags |= rowOwn
				continue
			}
			youngest = r.mod
		}
	}
	return n.ttlOf(entry.UnpackTime(youngest), false)
}
