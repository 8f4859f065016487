package namespace

import (
	"context"
	"slices"

	"github.com/s3mount/s3mount/fs/listing"
)

// Lister reads a directory in the order of keys. It holds a chunk of rows, and the place
// of each 1000th row that it passed, so that Seek can go back. It is not safe for
// concurrent use.
type Lister struct {
	n      *Namespace
	reader *listing.Reader
	dir    Entry
	base   string // prefix of the directory
	stem   string // of a continuation: the part of the segment

	rows    []listing.Row // takes the rows of a chunk
	place                 // where the next chunk begins
	view    []Dirent
	prev    []Dirent // the chunk before view
	viewPos uint64   // position of view[0]
	i       int      // next of view
	marks   []mark
}

// place is a position between two rows.
type place struct {
	at     listing.Place
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
	l.reader = listing.NewReader(n.fetcher, n.walks, l.base, l.stem)
	l.rewind()
	return l
}

// rewind goes to the beginning and asks S3 again where the cache is too old.
func (l *Lister) rewind() {
	l.reader.Rewind()
	l.place = place{at: l.reader.Place}
	l.view, l.prev, l.viewPos, l.i = nil, nil, 0, 0
	l.marks = []mark{{0, l.place}}
}

// Close ends the listing.
func (l *Lister) Close() {
	l.reader.Close()
}

// Pos returns the position of the row that Next will return.
func (l *Lister) Pos() uint64 { return l.viewPos + uint64(l.i) }

// Ready tells whether Next surely answers without waiting for S3.
func (l *Lister) Ready() bool { return l.i < len(l.view) || l.reader.End() }

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
		if l.reader.End() {
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
		l.reader.Resume(m.at)
		l.view, l.prev, l.viewPos, l.i = nil, nil, m.pos, 0
	}
	for pos > l.viewPos+uint64(len(l.view)) && !l.reader.End() {
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
	for len(l.view) == 0 && !l.reader.End() {
		rows, ok := l.take()
		for ; !ok; rows, ok = l.take() {
			dirs, err := l.reader.Ask(ctx)
			if err != nil {
				return err
			}
			l.n.index.Prefetch(dirs) // a walk will come to them
		}
		if err := l.n.completeLines(ctx, l.base, rows); err != nil {
			return err
		}
		l.show(rows)
	}
	return nil
}
