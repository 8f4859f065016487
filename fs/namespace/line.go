package namespace

import "github.com/s3mount/s3mount/fs/entry"

// line is a row of a page for the lister.
type line struct {
	rel    string
	entry  entry.Entry
	stat   func() entry.Entry // of a pending file
	exact  bool               // the attributes come from the index
	unsure bool               // the file may be special
	gone   bool
}

// known reports whether the attributes of the row are known.
func (ln *line) known() bool { return ln.stat != nil || ln.entry.Exact || ln.isMarker() }

// isMarker reports whether the row is the marker of the directory. An object with data
// under the same key is a file.
func (ln *line) isMarker() bool { return ln.rel == "" && ln.entry.Size == 0 }
