// Package fs mounts a bucket as a filesystem. It handles the FUSE requests of the kernel
// with the raw API of go-fuse, which provides flags, lock owners and node ids, and does not
// keep a second tree of inodes.
//
// # Concepts
//
//   - filesystem implements each FUSE operation as a method in the file of its group:
//     lookup.go, open.go, close.go, data.go, create.go, remove.go, rename.go, setattr.go,
//     dir.go, xattr.go. Its parts (teller, noter, saver, finder, opener, passer, unlinker,
//     renamer, lifetime) do the work, and a part uses only parts before it. The context of
//     an operation (request) ends when the caller is interrupted. This ends its wait, but
//     not a fetch or an upload that others may share.
//   - An inode shows the last state of an object in S3 with the unsaved changes: the data
//     in a writeback.File, and attributes that wait for the next PUT. Package inode has the
//     state machine of its name and its version. An inode that was only looked up is a
//     packed entry of 280 bytes (inodestate.go). The pruner makes the kernel forget inodes
//     above a quarter of Options.MemoryLimit.
//   - A handle reads one version through a readahead.Reader (P2). When this mount commits a
//     version, the epoch of the inode grows, and handles then read the new version.
//   - With Options.Durability "journal", close, unlink, rmdir and changes of attributes wait
//     for the local disk only (changes.go). Files are uploaded after a short delay
//     (Options.Linger), so that a file that is renamed or removed soon costs one request or
//     none. The next mount of the bucket replays the journal before its first request,
//     whatever its options are (recovery.go). If S3 refuses a file permanently, the file is
//     moved to the recovery directory, and the mount ends with a KeptError.
//   - With Options.AllowOther, an operation that the kernel has allowed by default
//     attributes has no effect until the attributes of the object confirm it (access.go).
//   - observed reports each request to a metering.Tracker, which logs slow ones.
//
// # Data flow
//
//	kernel ─> observed ─> filesystem ─> namespace   names
//	                        │  │  └───> readahead   reads  ──> block cache, disk cache
//	                        │  └──────> writeback   writes ──> journal, spool
//	                        └─ inodes, handles          all S3 requests ──> keyGate ──> s3
//
//	open   read only: GET of the first blocks, which revalidates and caches them
//	       write only: HEAD, or no request with O_TRUNC
//	write  extents of a writeback.File, which the first write creates
//	close  commit: returns when S3 has acknowledged the object (P1); see also inherited.go
//	end    after the last close the writeback.File is let go, and reads come from S3
//
// Before an open file is removed or replaced, detach makes it independent of its key: it
// reads small content, and copies large content to a hidden key until the last close (P7).
// A read-only mount lets the kernel read files in the disk cache directly (passthrough.go).
//
// # Lock order
//
// Long operations on a file are turns. Commits, renames, removals and attribute changes of
// an inode exclude each other (turns.commit). An open for writing excludes letGo of the last
// writer (turns.closing, taken first). The wait for a turn ends with the caller's context.
// Several turns are taken in the order of node ids. Operations that create names pass
// nameGate before they take a turn. The rename of a directory closes the gate for everything
// below it and takes the turns of the inodes there (hold.go).
//
// Mutexes are acquired in this order, below the turns. They are not held during a request,
// except for dirHandle.mu, which serializes the READDIRs of a handle:
//
//	nameGate.mu    the directories that are being renamed
//	dirHandle.mu   the position of a directory handle
//	inodes.mu      the table and the tree of names
//	inode.lock     the state of an inode
//	handle.mu      the reader of a handle
//	attrQueue.mu, handles.mu, and the mutexes of readahead and writeback
//	keyGate.mu     the keys with requests
//
// The namespace asks pending files for their state, so it is not called while an inode is
// locked.
//
// # Invariants
//
//   - Every inode in the table has a reference: from the kernel (nlookup), from a handle or
//     pending attributes (pinned), or from a child.
//   - The kernel reads either all open handles of an inode directly, or none.
//   - An inode has at most one parent and name. An inode without a name gets no new key and
//     is not pending.
//   - st_ino is derived from the key, and is the nodeid. Two live inodes never share one.
//   - While a request writes a key, no GET of the key is open (keygate.go).
//   - An error without a row in the errno table is EIO, never ENOENT.
package fs
