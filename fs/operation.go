package fs

// operation is a kind of FUSE request.
type operation uint8

// The operations, by the names that go-fuse has for them.
const (
	opLookup operation = iota
	opGetAttr
	opSetAttr
	opMknod
	opMkdir
	opUnlink
	opRmdir
	opRename
	opLink
	opSymlink
	opReadlink
	opAccess
	opGetXAttr
	opListXAttr
	opSetXAttr
	opRemoveXAttr
	opCreate
	opTmpfile
	opOpen
	opRead
	opLseek
	opGetLk
	opSetLk
	opSetLkw
	opRelease
	opWrite
	opCopyFileRange
	opIoctl
	opFlush
	opFsync
	opFallocate
	opOpenDir
	opReadDir
	opReadDirPlus
	opFsyncDir
	opStatFs
	opStatx

	operations // their number
)

// operationNames are those of the kernel (include/uapi/linux/fuse.h), in small letters.
func operationNames() [operations]string {
	return [operations]string{
		opLookup:        "lookup",
		opGetAttr:       "getattr",
		opSetAttr:       "setattr",
		opMknod:         "mknod",
		opMkdir:         "mkdir",
		opUnlink:        "unlink",
		opRmdir:         "rmdir",
		opRename:        "rename",
		opLink:          "link",
		opSymlink:       "symlink",
		opReadlink:      "readlink",
		opAccess:        "access",
		opGetXAttr:      "getxattr",
		opListXAttr:     "listxattr",
		opSetXAttr:      "setxattr",
		opRemoveXAttr:   "removexattr",
		opCreate:        "create",
		opTmpfile:       "tmpfile",
		opOpen:          "open",
		opRead:          "read",
		opLseek:         "lseek",
		opGetLk:         "getlk",
		opSetLk:         "setlk",
		opSetLkw:        "setlkw",
		opRelease:       "release",
		opWrite:         "write",
		opCopyFileRange: "copy_file_range",
		opIoctl:         "ioctl",
		opFlush:         "flush",
		opFsync:         "fsync",
		opFallocate:     "fallocate",
		opOpenDir:       "opendir",
		opReadDir:       "readdir",
		opReadDirPlus:   "readdirplus",
		opFsyncDir:      "fsyncdir",
		opStatFs:        "statfs",
		opStatx:         "statx",
	}
}
