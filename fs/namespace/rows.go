package namespace

import (
	"slices"
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
)

// line is a row as the lister takes it out of a page.
type line struct {
	rel    string
	entry  Entry
	stat   func() Entry // of a pending file
	exact  bool         // the index told the attributes
	unsure bool         // the file may be special
	gone   bool
}

// take returns the next rows that the reader has, without the names that are deleted and
// with the files that are not in S3 yet.
func (l *Lister) take() ([]line, bool) {
	n := l.n
	n.mu.Lock()
	defer n.mu.Unlock()
	chunk, ok := l.reader.Take(l.rows[:0])
	if !ok {
		return nil, false
	}
	l.rows = chunk.Rows
	lines := make([]line, 0, len(chunk.Rows))
	for i := range chunk.Rows {
		r := &chunk.Rows[i]
		if len(n.hidden) == 0 || n.hidden[entry.RowID(l.base, r.Rel)] == nil {
			lines = append(lines, line{rel: r.Rel, entry: r.Entry})
		}
	}
	l.at = l.reader.Place
	return n.mergePending(lines, l.base, chunk.After.Rel, chunk.Upto, chunk.After.Begun, chunk.All), true
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
		if ln.gone || ln.isMarker() || l.n.keys.IsReserved(l.base, ln.rel) {
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
			l.view = append(l.view, Dirent{Name: name, Entry: ln.entry, Partial: ln.unsure && !ln.entry.Exact})
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
