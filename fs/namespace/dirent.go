package namespace

import "github.com/s3mount/s3mount/fs/entry"

// Dirent is one row of a directory. A Partial row's Entry holds only what a
// listing tells while the object may be something other than a plain file:
// readdirplus gives such a name without attributes, and Lookup reads them when
// someone asks.
type Dirent struct {
	Name    string
	Entry   entry.Entry
	Partial bool
}
