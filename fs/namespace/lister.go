package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// chunkRows is how many rows a Lister copies out of the cache at a time: few
// enough to weigh nothing, enough that the lock is taken rarely.
const chunkRows = 256

// errNoProgress: the server answers a listing with what comes before the place
// where it shall begin.
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

	borders []string           // where the pages that were read in order end, beginning with l.latest's
	latest  string             // where the latest of them begins
	spread  chan struct{}      // closed when the parallel listing ended, nil if there is none
	stop    context.CancelFunc // ends it
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
		n.index.PrefetchCatalogue()
	}
	l := &Lister{n: n, dir: dir}
	l.base, l.stem = n.keys.Stem(dir)
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
	for len(l.view) == 0 && !l.end {
		rows, ok := l.take(listing{})
		if !ok {
			var err error
			if rows, err = l.ask(ctx); err != nil {
				return err
			}
		}
		if err := l.n.completeLines(ctx, l.base, rows); err != nil {
			return err
		}
		l.show(rows)
	}
	return nil
}

// ask asks S3 for what follows, and takes it out of the answer: what happens
// to the cache meanwhile cannot keep the reader from going on. A listing across
// directories may tell nothing of this one, as when it is gone or holds only
// what is not in S3 yet; the one of this directory then tells that.
func (l *Lister) ask(ctx context.Context) ([]line, error) {
	if l.stem == "" && (!l.begun || l.next != "") {
		next := l.next
		l.next = ""
		got, ok, err := l.n.walk(ctx, l.base, next)
		if err != nil {
			return nil, err
		}
		if ok {
			if rows, ok := l.take(got); ok {
				return rows, nil
			}
		}
	}
	s := stretch{dir: l.base, stem: l.stem, delimited: true, token: l.token}
	if l.begun && l.rel != "" { // from the key of the directory, the marker would be left out
		s.from = l.base + l.rel
	}
	if l.spread != nil {
		s.token = "" // so that the runs and this Lister share their requests
	}
	got, err := l.n.fetchSince(ctx, s, l.since)
	if err != nil {
		return nil, err
	}
	rows, ok := l.take(got)
	if !ok {
		return nil, fmt.Errorf("list %q after %q: %w", l.base, l.rel, errNoProgress)
	}
	return rows, nil
}
