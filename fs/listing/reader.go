package listing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// chunkRows is how many rows a Reader copies out of the cache at a time: few enough to
// need little memory, and enough that the lock is taken rarely.
const chunkRows = 256

// errNoProgress is the error for a server that answers a listing with names before the
// place where the listing shall begin.
var errNoProgress = errors.New("listing makes no progress")

// Reader reads the rows of one directory in the order of keys. It is not safe for
// concurrent use.
type Reader struct {
	f     *Fetcher
	walks *Walks
	base  string // prefix of the directory
	stem  string // only names that begin so
	since time.Time

	Place
	token   string // continues the listing at Place
	next    string // where a listing across directories stopped, once
	crossed bool   // next was used
	end     bool
	got     listing // the answer to the last request, until Take takes rows from it
	asked   asked   // the requests since the last Take that had rows

	borders  []string           // ends of the pages that were read in order, beginning with the page at latest
	latest   string             // where the last of these pages begins
	parallel chan struct{}      // closed when the parallel listing has ended; nil if there is none
	stop     context.CancelFunc // ends it
}

// Place is a position between two rows of a directory.
type Place struct {
	Rel   string // after this row; "" is the beginning
	Begun bool   // the row with the empty rel, the marker, is passed
}

// asked counts the kinds of requests that a Reader has tried at one place.
type asked uint8

const (
	askedNothing asked = iota
	askedWalk
	askedDirectory
)

// Chunk is a number of rows that follow each other in a directory.
type Chunk struct {
	Rows  []Row
	After Place  // where the rows begin
	Upto  string // where they end, if not All
	All   bool   // there is nothing behind them
}

// NewReader returns a Reader of the names in the directory base that begin with stem.
func NewReader(f *Fetcher, walks *Walks, base, stem string) *Reader {
	return &Reader{f: f, walks: walks, base: base, stem: stem}
}

// Rewind goes to the beginning. Pages that are not believed any more are listed anew.
func (l *Reader) Rewind() {
	l.since = time.Now()
	l.Place = Place{Rel: l.stem, Begun: l.stem != ""}
	l.token, l.next, l.crossed, l.end = "", "", false, false
	l.got, l.asked = listing{}, askedNothing
	l.walks.Read(l.base)
}

// Resume goes to a place where the Reader has been.
func (l *Reader) Resume(p Place) {
	l.Place, l.token, l.end = p, "", false
	l.got, l.asked = listing{}, askedNothing
}

// End reports whether the Reader is at the end of the directory.
func (l *Reader) End() bool { return l.end }

// Close ends the requests that the Reader has begun ahead.
func (l *Reader) Close() {
	if l.stop != nil {
		l.stop()
	}
}

// Take copies the next rows from the cache or from the last answer, and moves behind
// them. ok is false if neither has them: then Ask asks S3. The rows are appended to buf.
func (l *Reader) Take(buf []Row) (chunk Chunk, ok bool) {
	c := l.f.c
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pages.freshAfter(l.base, l.Rel, l.since)
	if p == nil {
		p = l.f.pageIn(&l.got, l.base, l.Rel)
	}
	if p == nil || !l.Begun && p.from != "" {
		return Chunk{}, false
	}
	l.got, l.asked = listing{}, askedNothing
	l.ahead(p)
	i := 0
	if l.Begun {
		i, _ = p.search(l.Rel + "\x00")
	}
	last := min(i+chunkRows, len(p.rows))
	chunk = Chunk{After: l.Place, Upto: p.to, All: p.end}
	if last < len(p.rows) {
		chunk.Upto, chunk.All = skipBelow(p.rel(&p.rows[last-1])), false
		l.token = "" // it continues the listing behind the page
	} else {
		l.token = p.token
		if !l.crossed && p.next != "" {
			l.next, l.crossed = p.next, true
		}
	}
	l.end = chunk.All
	if l.stem != "" && (chunk.All || chunk.Upto >= l.stem+highest) {
		chunk.Upto, chunk.All, l.end = l.stem+highest, false, true
	}
	chunk.Rows = slices.Grow(buf, last-i)
	for ; i < last; i++ {
		chunk.Rows = append(chunk.Rows, Row{p.rel(&p.rows[i]), c.entry(p, &p.rows[i])})
	}
	l.Place = Place{Rel: chunk.Upto, Begun: true}
	return chunk, true
}

// Ask requests the next rows from S3. Take then returns them from the answer,
// independent of the cache. A listing across directories may contain no row of this
// directory, for example if it is gone or has only files that are not in S3 yet. The
// next Ask then lists only this directory. dirs are the directories that the answer has
// shown.
func (l *Reader) Ask(ctx context.Context) (dirs []string, err error) {
	if l.asked == askedNothing && l.stem == "" && (!l.Begun || l.next != "") {
		l.asked = askedWalk
		next := l.next
		l.next = ""
		ok, err := l.walk(ctx, next)
		if err != nil {
			return nil, err
		}
		if ok {
			for _, p := range l.got.pages {
				dirs = append(dirs, p.dir)
			}
			return dirs, nil
		}
	}
	if l.asked == askedDirectory {
		return nil, fmt.Errorf("list %q after %q: %w", l.base, l.Rel, errNoProgress)
	}
	l.asked = askedDirectory
	s := Stretch{Dir: l.base, Stem: l.stem, Delimited: true, Token: l.token}
	if l.Begun && l.Rel != "" { // a listing from the key of the directory would leave out the marker
		s.From = l.base + l.Rel
	}
	if l.parallel != nil {
		s.Token = "" // so that the runs and this Reader share their requests
	}
	l.got, err = l.f.fetchSince(ctx, s, l.since)
	return nil, err
}

// walk recognises that a directory is read as part of a tree walk: its parent was read
// shortly before. It then lists everything below the topmost directory of the walk,
// from this directory on or from the key next where an earlier such listing stopped.
// The cache then answers for the directories that follow.
func (l *Reader) walk(ctx context.Context, next string) (ok bool, err error) {
	if l.f.o.TTL < MinTrust {
		return false, nil // nothing is kept for the directories that follow
	}
	top := l.walks.Top(l.base)
	if top == l.base && next == "" {
		return false, nil
	}
	if next == "" {
		next = Before(l.base)
	}
	l.got, err = l.f.fetch(ctx, Stretch{Dir: top, From: next})
	return true, err
}
