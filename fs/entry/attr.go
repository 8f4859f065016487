package entry

import "time"

// Kind is the type of a file.
type Kind uint8

// The kinds of POSIX.
const (
	File Kind = iota
	Directory
	Symlink
	FIFO
	Socket
	CharDevice
	BlockDevice
)

// Attr holds the attributes that an S3 object has only in its user metadata.
type Attr struct {
	Perm         uint32 // permission bits with setuid, setgid and sticky: 07777
	UID, GID     uint32
	Rdev         uint32 // the number of a device, as Linux encodes it in st_rdev
	Mtime, Ctime time.Time
	Atime        time.Time
	// Xattr holds the extended attributes as they are on the object;
	// attrs.DecodeXattrs reads them. It stays as it is if it cannot be read.
	Xattr string
}

// The file type bits of st_mode (inode(7)).
const (
	modeFmt    = 0o170000
	modeSocket = 0o140000
	modeLink   = 0o120000
	modeFile   = 0o100000
	modeBlock  = 0o060000
	modeDir    = 0o040000
	modeChar   = 0o020000
	modeFIFO   = 0o010000
)

// PermMask has the bits of st_mode that Attr.Perm holds.
const PermMask = 0o7777

// Mode returns the st_mode of a file of kind k with these attributes.
func (a Attr) Mode(k Kind) uint32 { return k.modeBits() | a.Perm&PermMask }

func (k Kind) modeBits() uint32 {
	switch k {
	case Directory:
		return modeDir
	case Symlink:
		return modeLink
	case FIFO:
		return modeFIFO
	case Socket:
		return modeSocket
	case CharDevice:
		return modeChar
	case BlockDevice:
		return modeBlock
	default:
		return modeFile
	}
}

// KindOf returns the kind of an st_mode. A mode without type bits is that of a file.
// ok is false if mode is not a possible st_mode.
func KindOf(mode uint32) (k Kind, ok bool) {
	if mode > modeFmt|PermMask {
		return File, false
	}
	switch mode & modeFmt {
	case 0, modeFile:
		return File, true
	case modeDir:
		return Directory, true
	case modeLink:
		return Symlink, true
	case modeFIFO:
		return FIFO, true
	case modeSocket:
		return Socket, true
	case modeChar:
		return CharDevice, true
	case modeBlock:
		return BlockDevice, true
	}
	return File, false
}

// Defaults are the attributes of objects that carry none.
type Defaults struct {
	FilePerm, DirPerm uint32
	UID, GID          uint32
	Started           time.Time // the time of directories that have no time of their own
}

// Attr returns the default attributes of an object.
func (d Defaults) Attr(k Kind, lastModified time.Time) Attr {
	perm := d.FilePerm
	if k == Directory {
		perm = d.DirPerm
		if lastModified.IsZero() {
			lastModified = d.Started
		}
	}
	return Attr{
		Perm: perm, UID: d.UID, GID: d.GID,
		Mtime: lastModified, Ctime: lastModified, Atime: lastModified,
	}
}

// Show reports whether a listing alone shows the attributes of an entry: they are
// the default attributes of a file or a directory.
func (d Defaults) Show(e *Entry) bool {
	def := d.Attr(e.Kind, e.LastModified)
	a := e.Attr
	special := e.Kind != File && e.Kind != Directory
	return !special && a.Perm == def.Perm && a.UID == def.UID && a.GID == def.GID && a.Mtime.Equal(def.Mtime) &&
		a.Xattr == ""
}
