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

// take copies the next rows from the cache, or from what was just fetched,
// and moves the place behind them.
func (l *Lister) take(got listing) ([]line, bool) {
	n := l.n
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.freshAfter(l.base, l.rel, l.since)
	if p == nil {
		p = n.pageIn(&got, l.base, l.rel)
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
		upto, all = skipBelow(p.rel(&p.rows[last-1])), false
		l.token = "" // it continues what is behind the page
	} else {
		l.token = p.token
		if !l.crossed && p.next != "" {
			l.next, l.crossed = p.next, true
		}
	}
	if l.stem != "" && (all || upto >= l.stem+highest) {
		upto, all = l.stem+highest, true
	}
	lines := make([]line, 0, last-i)
	for ; i < last; i++ {
		rel := p.rel(&p.rows[i])
		if n.hidden[entry.RowID(l.base, rel)] == nil {
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
