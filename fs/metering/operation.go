package metering

// Operation is a kind of FUSE request.
type Operation uint8

// The operations, named as in go-fuse.
const (
	OpLookup Operation = iota
	OpGetAttr
	OpSetAttr
	OpMknod
	OpMkdir
	OpUnlink
	OpRmdir
	OpRename
	OpLink
	OpSymlink
	OpReadlink
	OpAccess
	OpGetXAttr
	OpListXAttr
	OpSetXAttr
	OpRemoveXAttr
	OpCreate
	OpTmpfile
	OpOpen
	OpRead
	OpLseek
	OpGetLk
	OpSetLk
	OpSetLkw
	OpRelease
	OpWrite
	OpCopyFileRange
	OpIoctl
	OpFlush
	OpFsync
	OpFallocate
	OpOpenDir
	OpReadDir
	OpReadDirPlus
	OpFsyncDir
	OpStatFs
	OpStatx

	operations // the number of operations
)

// String returns the kernel's name of the operation
// (include/uapi/linux/fuse.h) in lower case.
func (op Operation) String() string { return operationNames[op] }

// operationNames is indexed by Operation.
var operationNames = [operations]string{
	OpLookup:        "lookup",
	OpGetAttr:       "getattr",
	OpSetAttr:       "setattr",
	OpMknod:         "mknod",
	OpMkdir:         "mkdir",
	OpUnlink:        "unlink",
	OpRmdir:         "rmdir",
	OpRename:        "rename",
	OpLink:          "link",
	OpSymlink:       "symlink",
	OpReadlink:      "readlink",
	OpAccess:        "access",
	OpGetXAttr:      "getxattr",
	OpListXAttr:     "listxattr",
	OpSetXAttr:      "setxattr",
	OpRemoveXAttr:   "removexattr",
	OpCreate:        "create",
	OpTmpfile:       "tmpfile",
	OpOpen:          "open",
	OpRead:          "read",
	OpLseek:         "lseek",
	OpGetLk:         "getlk",
	OpSetLk:         "setlk",
	OpSetLkw:        "setlkw",
	OpRelease:       "release",
	OpWrite:         "write",
	OpCopyFileRange: "copy_file_range",
	OpIoctl:         "ioctl",
	OpFlush:         "flush",
	OpFsync:         "fsync",
	OpFallocate:     "fallocate",
	OpOpenDir:       "opendir",
	OpReadDir:       "readdir",
	OpReadDirPlus:   "readdirplus",
	OpFsyncDir:      "fsyncdir",
	OpStatFs:        "statfs",
	OpStatx:         "statx",
}
