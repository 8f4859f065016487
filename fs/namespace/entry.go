package namespace

import (
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
)

// The values of package entry that the methods of Namespace take and return.
type (
	Entry = entry.Entry
	Kind  = entry.Kind
	Attr  = entry.Attr
	// Packed is an Entry in a third of the space.
	Packed = listing.Packed
)

// The kinds of files.
const (
	File        = entry.File
	Directory   = entry.Directory
	Symlink     = entry.Symlink
	FIFO        = entry.FIFO
	Socket      = entry.Socket
	CharDevice  = entry.CharDevice
	BlockDevice = entry.BlockDevice
)

// Dirent is one row of a directory. A Partial row's Entry holds only what a
// listing tells while the object may be something other than a plain file:
// readdirplus gives such a name without attributes, and Lookup reads them when
// someone asks.
type Dirent struct {
	Name    string
	Entry   Entry
	Partial bool
}

// Pack packs an entry.
func Pack(e Entry) Packed { return listing.Pack(e) }
