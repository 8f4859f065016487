package namespace

import "github.com/s3mount/s3mount/fs/entry"

// line is a row as the lister takes it out of a page.
type line struct {
	rel    string
	entry  entry.Entry
	stat   func() entry.Entry // of a pending file
	exact  bool               // the index told the attributes
	unsure bool               // the file may be special
	gone   bool
}

// known reports whether nothing is left to find out of a row.
func (ln *line) known() bool { return ln.stat != nil || ln.entry.Exact || ln.isMarker() }

// isMarker reports whether a row is that of the directory's own marker. With
// data it is the row of a file.
func (ln *line) isMarker() bool { return ln.rel == "" && ln.entry.Size == 0 }
