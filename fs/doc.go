// Package fs mounts a bucket as a filesystem: it answers the kernel's FUSE
// requests out of three rooms that do not know each other.
//
//   - namespace turns names into keys and back, and lists, makes, renames and
//     removes them;
//   - readahead turns reads into ranged GETs over blocks of memory;
//   - writeback turns writes into one PUT or a multipart upload.
//
// This package itself holds what FUSE needs beside them: the table of inodes,
// the open handles, the order of commits and renames, and the table of errnos.
// It speaks go-fuse's raw API, which shows flags, lock owners and nodeids, and
// keeps no second tree of inodes.
//
// # The way of a request
//
// Each operation is a method of filesystem, in the file of its family:
// lookup.go, open.go, close.go, data.go, create.go, remove.go, rename.go, setattr.go,
// dir.go, xattr.go. Its context (request) ends when the caller is interrupted;
// that ends the wait, never a fetch or an upload that others may share.
//
// An inode is what S3 last said of a key, overlaid by what is unsaved: a
// writeback.File while someone writes, and attributes that wait for the next
// PUT. Package inode has the state machine of its name and its version; the files
// learn.go, commit.go and setattr.go take over what S3 says. A handle reads through a readahead.Reader of the version that it was
// opened on (P2); a version that this mount commits raises the inode's epoch,
// and handles then take up the new version, so that a mount sees its own
// writes at once.
//
//	open  ─ read only ── GET of the first blocks, revalidates, keeps them
//	      ─ write only ─ HEAD, or nothing with O_TRUNC
//	write ─ extents of a writeback.File, made at the first write
//	close ─ commit: returns when S3 has acknowledged the object (P1); but see dup.go
//	last close ─ the writeback.File is let go; reads come from S3 again
//
// With Options.AllowOther, no operation takes effect that the kernel has allowed by
// default attributes (access.go).
//
// Removing or replacing a file that is open first makes it independent of its
// key (detach): small content is taken in, larger is copied inside S3 to a
// hidden key until the last close (P7).
//
// While a request writes a key, no GET of the key is open and none is started
// (keygate.go): some servers hold a lock on the key during either.
//
// Blocks that readahead brings are kept on disk, too, if there is a disk cache
// (diskcache.go); a read-only mount lets the kernel read files that are wholly
// there by itself (passthrough.go).
//
// # Journal
//
// With Options.Durability "journal" a close waits for the local disk only, and
// so do unlink, rmdir and changes of attributes, which are noted there
// (changes.go). Changes of attributes that do not wait for S3 are recorded there in
// each durability (attrnotes.go). This mount shows the new state at once. A small file goes to S3
// when no other was closed for a quarter of a second, after two seconds at the
// latest (Options.Linger): what gets another name by then, or is removed, costs
// one request or none. A rename of a file that
// S3 does not have changes its key and nothing else; of one that it has, the
// rename is noted, and waited for. A mount that is killed leaves all of it to the next
// (recovery.go); one that ends while S3 does not answer, after a while (drainAtEnd).
//
// The next mount of the bucket replays the journal before its first request,
// whatever its own options are. A mount that is read-only, or that has another
// prefix, reports the rest. S3 may refuse a closed file for good: then the file goes
// to the recovery directory, the status shows it until somebody removes it, and the
// mount ends with a KeptError.
//
// # What is seen from outside
//
// Mount.Queue tells what waits in the journal, Mount.Unwritten what an end at
// this moment would lose, and Mount.Drain returns when S3 holds everything:
// it is what a sync of the whole mount waits for.
//
// # Memory
//
// An inode that was only looked up keeps a packed entry and nothing else, 280 bytes
// with its name and its places in the table. The rest of the state is made when the
// inode is locked, and is dropped again if nothing but the entry is left in it
// (inodestate.go).
//
// Inodes may take a quarter of Options.MemoryLimit, and are charged to the budget.
// Beyond that the pruner asks the kernel to forget some (prune.go): by
// FUSE_NOTIFY_PRUNE, and before Linux 6.18 by taking their names away.
//
// # Metering
//
// The type observed stands between go-fuse and the filesystem. It reports each
// request to a metering.Tracker, whose watchdog logs the requests that are in
// flight for longer than Options.SlowRequest. Mount.Stats reads all counters and
// gauges of this package and of the packages below it.
//
// # Order
//
// Long work on a file is a turn (turns.commit): commit, rename, removal and
// attribute changes of one inode exclude each other, and waiting for a turn
// ends with the caller's context. A second turn (turns.closing), taken before
// it, keeps an open for writing apart from the end of the last writer. Several
// turns are taken in the order of nodeids.
//
// Operations that make names pass nameGate before they take a turn. The rename of
// a directory closes the gate for all that is below, and a hold takes the turns
// of the inodes there, including those that a lookup brings meanwhile. Lookups go
// on; only an answer that a name is absent waits for the end of the rename.
//
// Below the turns, taken in this order and never held across a request:
//
//	nameGate.mu      the directories that are renamed
//	dirHandle.mu     one READDIR of a handle at a time (held across LIST: it
//	                 is a turn of the kernel's making)
//	inodes.mu        the table and the tree of names
//	inode.lock       one inode's state
//	handle.mu        one handle's reader
//	attrQueue.mu, handles.mu
//	the locks of readahead and writeback
//	keyGate.mu       the keys with requests under way
//
// The namespace asks pending files for their state, so it is never called
// under the lock of an inode.
//
// # Invariants
//
//   - Every inode in the table is referred to: by the kernel (nlookup), by a
//     handle or waiting attributes (pinned), or by a child.
//   - Of an inode, all open handles are read by the kernel, or none is.
//   - An inode has at most one parent and name. An inode without a name gets no
//     new key and is not shown as pending.
//   - st_ino is derived from the key; two live inodes never share one.
//   - An error that no row of the errno table names is EIO, never ENOENT.
package fs
