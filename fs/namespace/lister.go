package namespace

import (
	"context"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
)

// Lister reads a directory in the order of keys. It holds a chunk of rows, and the place
// of each 1000th row that it passed, so that Seek can go back. It is not safe for
// concurrent use.
type Lister struct {
	f      *finder
	reader *listing.Reader
	dir    entry.Entry
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
func (f *finder) OpenDir(dir entry.Entry) *Lister {
	if dir.Key != f.o.Prefix { // the listing of the root shows whether there is one
		f.view.index.PrefetchCatalogue()
	}
	l := &Lister{f: f, dir: dir}
	l.base, l.stem = f.keys.Stem(dir)
	l.reader = listing.NewReader(f.fetcher, f.walks, l.base, l.stem)
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

// Ready reports whether Next will return without waiting for S3.
func (l *Lister) Ready() bool { return l.i < len(l.view) || l.reader.End() }

// Next returns the next row, or false at the end.
func (l *Lister) Next(ctx context.Context) (Dirent, bool, error) {
	for {
		for l.i < len(l.view) {
			d := l.view[l.i]
			l.i++
			if !l.f.view.isHidden(d.Entry) {
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

// Seek goes to a position, which is the number of rows before it. Positions in the last chunks are
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
			l.f.view.index.Prefetch(dirs) // a walk will come to them
		}
		if err := l.f.attributes.completeLines(ctx, l.base, rows); err != nil {
			return err
		}
		l.show(rows)
	}
	return nil
}

// take returns the next rows that the reader has, without the names that are deleted and
// with the files that are not in S3 yet.
func (l *Lister) take() ([]line, bool) {
	chunk, lines, ok := l.f.view.take(l.reader, l.base, l.rows[:0])
	if !ok {
		return nil, false
	}
	l.rows, l.at = chunk.Rows, l.reader.Place
	return l.f.view.pending.merge(lines, l.base, &chunk), true
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
		if ln.gone || ln.isMarker() || l.f.keys.IsReserved(l.base, ln.rel) {
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
				l.view = append(l.view, Dirent{Name: name, Entry: l.f.contEntry(l.base + l.stem + part)})
			}
		default:
			l.view = append(l.view, Dirent{Name: name, Entry: ln.entry, Partial: ln.unsure && !ln.entry.Exact})
		}
	}
}

// shadowing records objects whose name a later directory may share. In key order, all
// rows between the object "a" and the directory "a/" begin with "a". For a directory it
// reports whether there is such an object.
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
