package answers

import (
	"os"

	"golang.org/x/sys/unix"
)

// kind is a type of file.
type kind struct {
	name string
	bits uint32 // S_IFMT
}

var (
	file    = kind{"file", unix.S_IFREG}
	dir     = kind{"dir", unix.S_IFDIR}
	symlink = kind{"symlink", unix.S_IFLNK}
	fifo    = kind{"fifo", unix.S_IFIFO}
	socket  = kind{"socket", unix.S_IFSOCK}
	char    = kind{"char", unix.S_IFCHR}
	block   = kind{"block", unix.S_IFBLK}

	kinds = []kind{file, dir, symlink, fifo, socket, char, block}
)

// device is the number of the device nodes in cases. No driver has it.
const device = 0x1234

// make makes one of a kind, owned by an actor.
func (c *scene) make(k kind, name string, perm uint32, a actor) {
	p := c.p(name)
	switch k {
	case file:
		c.must(os.WriteFile(p, []byte("content"), os.FileMode(perm&0o777)))
	case dir:
		c.must(unix.Mkdir(p, perm))
	case symlink:
		c.must(unix.Symlink("nowhere", p))
	default:
		c.must(unix.Mknod(p, k.bits|perm, device))
	}
	if a.uid != 0 {
		c.must(unix.Lchown(p, a.uid, a.gid))
	}
	if k != symlink {
		c.must(unix.Chmod(p, perm))
	}
}
