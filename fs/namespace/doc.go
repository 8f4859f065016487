// Package namespace maps the names of a filesystem to the keys of a bucket. It finds,
// lists, creates, renames and deletes names. Package listing remembers what S3 has shown,
// and package attrs stores the attributes that S3 objects do not have of themselves. The
// package knows nothing of FUSE, inodes, handles or the bytes of files.
//
// # Names
//
// A key is cut at its slashes into segments; each segment has one name in one
// directory, and each name stands for at most one segment (names.go):
//
//	name      stands for
//	X         the segment X, where nothing below applies
//	X%~f      the file of the segment X that can be no name: X is empty (data
//	          under the key "d/" is the file d/%~f), "." or ".."
//	X%~d      the directory of the segment X that can be no name, or that is
//	          shadowed: beside an object "a", which keeps its name so that
//	          finding a known file never costs a LIST, "a/" is a%~d
//	X%~+      a continuation: the directory of all segments that begin with X
//	          and whose name would be longer than 255 bytes; the names in it
//	          stand for the rest of the segment
//	%~0       within a name, the byte NUL
//
// What looks like one of these in a segment has one more "%" put in: the
// segment "a%~d" has the name "a%~%d". Everything else, also newlines, invalid
// UTF-8 and "%", stands for itself. Names that stand for nothing are refused
// with ErrInvalidName when something is to be made. The object of size 0 under
// a directory's own key is its marker and has no name. The prefix .s3mount/ at
// the root is reserved. A file and a directory may share a key ("d/" the file
// d/%~f and "d/" the directory): Entry.ID tells them apart.
//
// # Lookup
//
// A lookup is answered by the cache, otherwise by a HEAD, and after a 404 by a LIST of one
// key. listing.Walks counts the lookups that need requests by directory. The second in
// one directory, or the first on the way down from another directory, is answered by a
// LIST that shows a thousand names around it (lookuplist.go). Such LISTs become rare
// where they do not help the lookups that follow.
//
// # Listing
//
// A Lister shows the rows that a listing.Reader reads, in the order of keys. It adds the
// pending files, which are in this mount and not in S3 yet, and leaves out the hidden
// ones, which are deleted here and still in S3. It gives the rows the attributes that the
// index of the directory has (complete.go).
//
// # Attributes
//
// A listing shows default attributes where no hint has others. The exact attributes of an
// object are read when somebody looks at it (Attributes, ask.go): a program that looks at
// the files of a directory one after the other gets them in parallel. Confirm never
// returns defaults in place of the attributes of an object, so an access decision may rest
// on it. A change of attributes alone is a copy of the object onto itself, which must
// carry everything that the object has beside its bytes. A HEAD asks for that, unless this
// mount wrote or asked the object moments ago (remember.go).
//
// # Changes
//
// Mkdir writes a marker. Unlink, Rmdir and Rename return when S3 has executed the
// delete. UnlinkInRun and RmdirInRun hide the name at once and gather the deletes
// (delete.go); the caller uses them for all but the first of many removals, with
// no other change in between (fs/removalruns.go). Each is recorded in the state
// directory before it is acknowledged (removallog.go), and Recover finishes it after
// a crash. Every other change waits until S3 has executed what was acknowledged, so
// that other clients see changes in the order in which they were made; the removals
// of one run have no order among themselves. Before the last child of a directory
// without marker is deleted, the marker is written. A failed delete brings the name
// back and is reported by the next FlushDir, Rmdir or Drain. The first delete of a
// mount waits for S3, so that a missing permission shows at once. A rename that comes
// first asks for the permission before it copies (refused.go), and takes its copy
// back where the old name may not be deleted. Where the caller
// keeps what it removes in a journal (Options.Journaled) none is waited for, one
// that fails for a passing reason is tried again, and FinishRemove and
// FinishRename do for the next mount what this one did not live to do.
//
// A file is renamed by a copy of the version that was seen and the delete of
// exactly that version; a directory by copies of all, then deletes of all
// (renamedir.go), with a record in the state directory (intent.go) that Recover
// finishes after a crash.
//
// # What fs calls when
//
//   - Recover once, before the first operation; Drain, then Close, at the end.
//   - Lookup, Stat, OpenDir for what is asked; Attributes where an inexact entry that
//     is Hinted is shown, and Confirm where it decides about access. A Dirent that is Partial is given
//     to the kernel as a name without attributes.
//   - Appeared before a file is created by who would not replace another.
//   - NewFileKey when a file is created, AddPending until its first commit or
//     its unlink (DropPending). A pending file has no object: Unlink and Rename
//     are only for what S3 holds.
//   - UnlinkInRun and RmdirInRun in the middle of a run, else Unlink and Rmdir.
//   - WaitDeleted before each commit under a key.
//   - Committed after each commit, with the attributes that the commit wrote;
//     Observe after a GET or HEAD.
//   - For a directory rename: commit the dirty files below it first, then
//     give live inodes the entries of RenameOutput.Moved.
//   - Lister.Close when a directory handle is released.
//   - FlushDir for fsync of a directory.
//
// # Locks
//
// Namespace.mu protects the hidden names. It is acquired before pendingFiles.mu and all
// locks of packages attrs and listing (package lockorder). It is not held during a request, a
// wait, or a call of a pending file. Shared requests run on the context of the namespace:
// a caller that gives up leaves them to the others.
//
// # Invariants
//
//   - A name in hidden has a deletion that ends.
//   - A key of a directory rename exists under its old or its new name.
package namespace
