package namespace

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// chunkRows is how many rows a Lister copies out of the cache at a time: few
// enough to weigh nothing, enough that the lock is taken rarely.
const chunkRows = 256

// maxFruitless is how many listings in a row may bring nothing that follows:
// one across directories, one where an earlier one stopped, one plain, and
// those whose page was cut up by changes made here before it was read.
const maxFruitless = 32

// errNoProgress: the server answers one page of a listing again and again.
var errNoProgress = errors.New("listing makes no progress")

// Lister reads a directory in the order of keys. It holds a chunk of rows, and
// for each 1000 rows that it passed the place where they begin, so that Seek
// can go back. It is not safe for concurrent use.
type Lister struct {
	n     *Namespace
	dir   Entry
	base  string // prefix of the directory
	stem  string // of a continuation: the part of the segment
	since time.Time

	place          // where the next chunk begins
	token   string // continues the listing at place
	next    string // where a listing across directories stopped, once
	crossed bool   // next was used
	end     bool
	view    []Dirent
	prev    []Dirent // the chunk before view
	viewPos uint64   // position of view[0]
	i       int      // next of view
	marks   []mark

	streak int                // pages in order that were not in the cache before
	latest string             // where the latest of them begins
	spread chan struct{}      // closed when the parallel listing ended, nil if there is none
	stop   context.CancelFunc // ends it
}

// place is a position between two rows.
type place struct {
	rel    string   // after this row; "" is the beginning
	begun  bool     // the row with the empty rel, the marker, is passed
	shadow []string // segments of objects that later directories may share
	cont   string   // name of the last continuation that was shown
}

type mark struct {
	pos uint64
	place
}

// OpenDir starts a listing of a directory. It waits for no request.
func (n *Namespace) OpenDir(dir Entry) *Lister {
	if dir.Key != n.o.Prefix { // the listing of the root tells whether there is one
		n.prefetchCatalogue()
	}
	l := &Lister{n: n, dir: dir}
	l.base, l.stem = n.parts(dir)
	l.rewind()
	return l
}

// rewind goes to the beginning and asks S3 again where the cache is too old.
func (l *Lister) rewind() {
	l.since = l.n.now()
	l.place = place{rel: l.stem, begun: l.stem != ""}
	l.token, l.next, l.crossed, l.end = "", "", false, false
	l.n.mu.Lock()
	l.n.noteListed(l.base)
	l.n.mu.Unlock()
	l.view, l.prev, l.viewPos, l.i = nil, nil, 0, 0
	l.marks = []mark{{0, l.place}}
}

// Close ends the listing.
func (l *Lister) Close() {
	if l.stop != nil {
		l.stop()
	}
}

// Pos returns the position of the row that Next will return.
func (l *Lister) Pos() uint64 { return l.viewPos + uint64(l.i) }

// Ready tells whether Next surely answers without waiting for S3.
func (l *Lister) Ready() bool { return l.i < len(l.view) || l.end }

// Next returns the next row, or false at the end.
func (l *Lister) Next(ctx context.Context) (Dirent, bool, error) {
	for {
		for l.i < len(l.view) {
			d := l.view[l.i]
			l.i++
			if !l.n.isHidden(d.Entry) {
				return d, true, nil
			}
		}
		if l.end {
			return Dirent{}, false, nil
		}
		if err := l.refill(ctx); err != nil {
			return Dirent{}, false, err
		}
	}
}

// Seek goes to a position that Pos returned. Positions in the last chunks are
// exact; farther back rows are counted again, so that names which came or went
// meanwhile may be shown twice or not at all, as POSIX allows.
func (l *Lister) Seek(ctx context.Context, pos uint64) error {
	if pos == 0 {
		l.rewind()
		return nil
	}
	if pos < l.viewPos && pos >= l.viewPos-uint64(len(l.prev)) {
		joined := slices.Concat(l.prev, l.view)
		l.viewPos -= uint64(len(l.prev))
		l.view, l.prev = joined, nil
	}
	if pos < l.viewPos {
		k := len(l.marks) - 1
		for l.marks[k].pos > pos {
			k--
		}
		m := l.marks[k]
		l.marks = l.marks[:k+1]
		l.place = m.place
		l.token, l.end, l.view, l.prev, l.viewPos, l.i = "", false, nil, nil, m.pos, 0
	}
	for pos > l.viewPos+uint64(len(l.view)) && !l.end {
		l.i = len(l.view)
		if err := l.refill(ctx); err != nil {
			return err
		}
	}
	l.i = int(min(pos-l.viewPos, uint64(len(l.view))))
	return nil
}

// refill replaces the view by the next chunk.
func (l *Lister) refill(ctx context.Context) error {
	l.viewPos += uint64(len(l.view))
	l.prev, l.view, l.i = l.view, nil, 0
	if l.viewPos >= l.marks[len(l.marks)-1].pos+1000 {
		m := mark{l.viewPos, l.place}
		m.shadow = slices.Clone(m.shadow)
		l.marks = append(l.marks, m)
	}
	var fetched []*page
	for tries := 0; len(l.view) == 0 && !l.end; {
		if rows, ok := l.take(fetched); ok {
			tries, fetched = 0, nil
			if err := l.n.completeLines(ctx, l.base, rows); err != nil {
				return err
			}
			l.show(rows)
			continue
		}
		if tries++; tries > maxFruitless {
			return errNoProgress
		}
		got, err := l.more(ctx)
		if err != nil {
			return err
		}
		fetched = got.pages
	}
	return nil
}

// more asks S3 for what follows.
func (l *Lister) more(ctx context.Context) (listing, error) {
	if l.stem == "" && (!l.begun || l.next != "") {
		next := l.next
		l.next = ""
		if got, ok, err := l.n.walk(ctx, l.base, next); ok || err != nil {
			return got, err
		}
	}
	s := stretch{dir: l.base, stem: l.stem, delimited: true, token: l.token}
	if l.begun {
		s.from = l.base + l.rel
		if strings.HasSuffix(s.from, "/") && l.rel != "" {
			s.from += highest
		}
	}
	if l.spread != nil {
		s.token = "" // so that the parts and this Lister share their requests
	}
	got, err := l.n.fetch(ctx, s)
	if err == nil {
		l.token = got.token
	}
	return got, err
}

// ahead asks for what the reader will want next: the following page from the
// second page on, and all of a large directory in parallel. n.mu is held.
func (l *Lister) ahead(p *page) {
	if p.token == "" || p.from == l.latest && l.streak > 0 || p.when.Before(l.since) || l.stem != "" {
		return
	}
	l.latest = p.from
	l.streak++
	n := l.n
	if l.spread != nil {
		select {
		case <-l.spread:
			l.stop()
			l.spread, l.streak = nil, 0 // what lies behind its parts may be spread again
		default:
			return
		}
	}
	switch {
	case l.streak >= spreadAfter && n.freshPages(p, l.since, spreadMargin) == spreadMargin:
		// An earlier spread has been here: go on when its end is near.
	case l.streak >= spreadAfter:
		done := make(chan struct{})
		l.spread = done
		ctx, stop := context.WithCancel(n.life)
		l.stop = stop
		copied := p.snapshot()
		n.goLocked(func() {
			defer close(done)
			n.spread(ctx, copied)
		})
	case l.streak > 1 && n.freshAfter(l.base, p.to, l.since) == nil:
		s := stretch{dir: l.base, delimited: true, token: p.token, from: l.base + p.to}
		n.goLocked(func() {
			_, _ = n.fetch(n.life, s) // an error comes again when the reader comes there
		})
	}
}

// freshPages counts, up to limit, the pages behind p that need no request.
// n.mu is held.
func (n *Namespace) freshPages(p *page, since time.Time, limit int) int {
	count := 0
	for count < limit && !p.end {
		if p = n.freshAfter(p.dir, p.to, since); p == nil {
			return count
		}
		count++
	}
	if p.end {
		return limit
	}
	return count
}

// line is a row as the lister takes it out of a page.
type line struct {
	rel   string
	entry Entry
	stat  func() Entry // of a pending file
	exact bool         // the index told the attributes
	gone  bool
}

// take copies the next rows from the cache, or from what was just fetched,
// and moves the place behind them.
func (l *Lister) take(fetched []*page) ([]line, bool) {
	n := l.n
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.freshAfter(l.base, l.rel, l.since)
	for _, q := range fetched {
		if p == nil && q.dir == l.base && q.from <= l.rel && (q.end || l.rel < q.to) {
			p = q
		}
	}
	if p == nil || !l.begun && p.from != "" {
		return nil, false
	}
	l.ahead(p)
	i := 0
	if l.begun {
		i, _ = p.search(l.rel + "\x00")
	}
	last := min(i+chunkRows, len(p.rows))
	upto, all := p.to, p.end
	if last < len(p.rows) {
		upto, all = p.rel(&p.rows[last-1]), false
	} else {
		l.token = p.token
		if !l.crossed && p.next != "" {
			l.next, l.crossed = p.next, true
		}
	}
	if l.stem != "" && (all || upto > l.stem+highest) {
		upto, all = l.stem+highest, true
	}
	lines := make([]line, 0, last-i)
	for ; i < last; i++ {
		rel := p.rel(&p.rows[i])
		if n.hidden[rowID(l.base, rel)] == nil {
			lines = append(lines, line{rel: rel, entry: n.entry(p, &p.rows[i])})
		}
	}
	lines = n.mergePending(lines, l.base, l.rel, upto, l.begun, all && l.stem == "")
	l.rel, l.begun, l.end = upto, true, all
	return lines, true
}

// show turns rows into the view. It holds no lock, since a pending file is
// asked for its state.
func (l *Lister) show(lines []line) {
	l.view = make([]Dirent, 0, len(lines))
	for _, ln := range lines {
		if ln.stat != nil {
			ln.entry = ln.stat()
		}
		seg, isDir := strings.CutSuffix(ln.rel, "/")
		if ln.gone || ln.rel == "" && ln.entry.Size == 0 || l.n.reserved(l.base, ln.rel) {
			continue
		}
		shadowed := l.shadowing(seg, isDir)
		if !strings.HasPrefix(seg, l.stem) {
			continue
		}
		name, part, f := chain(seg, l.stem, isDir, shadowed)
		switch f {
		case formNone:
		case formCont:
			if name != l.cont {
				l.cont = name
				l.view = append(l.view, Dirent{Name: name, Entry: l.n.contEntry(l.base + l.stem + part)})
			}
		default:
			l.view = append(l.view, Dirent{Name: name, Entry: ln.entry, Partial: !ln.entry.Exact && l.n.mayBeSpecial(&ln.entry)})
		}
	}
}

// shadowing keeps the objects whose name a later directory may share: in key
// order all rows between the object "a" and the directory "a/" begin with "a".
// For a directory it tells whether there is such an object.
func (l *Lister) shadowing(seg string, isDir bool) bool {
	for len(l.shadow) > 0 && !strings.HasPrefix(seg, l.shadow[len(l.shadow)-1]) {
		l.shadow = l.shadow[:len(l.shadow)-1]
	}
	if !isDir {
		if seg != "" {
			l.shadow = append(l.shadow, seg)
		}
		return false
	}
	return slices.Contains(l.shadow, seg)
}

// chain finds the name of a segment in the directory that shows what follows
// stem: in the plain directory stem is empty. formNone: it is shown elsewhere.
func chain(seg, stem string, isDir, shadowed bool) (name, part string, f form) {
	at := ""
	for {
		name, part, f = nameOf(seg[len(at):], isDir, shadowed)
		if at == stem {
			return name, part, f
		}
		if f != formCont || !strings.HasPrefix(stem, at+part) {
			return "", "", formNone
		}
		at += part
	}
}
