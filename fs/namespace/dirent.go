package namespace

import "github.com/s3mount/s3mount/fs/entry"

// Dirent is one row of a directory. The Entry of a Partial row contains only the
// information of a listing, and the object may be something other than a regular file.
// READDIRPLUS returns such a name without attributes, and Lookup requests them.
type Dirent struct {
	Name    string
	Entry   entry.Entry
	Partial bool
}
