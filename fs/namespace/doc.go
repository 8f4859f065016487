// Package namespace maps the names of a filesystem to the keys of a bucket. It
// finds, lists, makes, renames and deletes names, keeps the attributes that S3
// does not have of itself, and remembers what S3 told, so that each answer
// costs as few requests as can be. It knows nothing of FUSE, inodes, handles
// or the bytes of files.
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
// # What is known
//
// A LIST becomes pages (page.go, fill.go): a page tells all rows of one stretch
// of one directory, and for how long that may be believed. A HEAD, a GET or a
// change of this mount becomes a fact of one key. Both live in LRUs of bounded
// memory. A name that lies in the stretch of a page and has no row is absent.
// Of a fact and a page the younger is right. Every change of this mount goes to
// the facts, to the page that covers it, and to the LISTs and HEADs that are
// under way (fill): their answers may be older than the change, so it is
// applied to them when they come. Pages and facts may therefore vanish
// independently and at any time.
//
// Trust follows the age of what was found, as with NFS: a tenth of it, at least
// a second, at most Options.TTL. What this mount wrote itself is trusted the
// longest, and a directory that it made is known to be empty.
//
// # Lookup
//
// A lookup is answered by what is known; else by a HEAD, and if that says 404
// by a LIST of one key. Lookups that need requests are counted by directory
// (walk.go): the second in one directory, or the first on the way down from
// another, is answered by a LIST that tells a thousand names around it; where
// that does not help the next lookups, it becomes rare.
//
// # Listing
//
// A Lister streams the rows of a directory in the order of keys out of the
// pages, and asks for the next page when there is none. It merges what is
// pending (in this mount, not yet in S3) and leaves out what is hidden (deleted
// here, still in S3). A directory that is read shortly after its parent is part
// of a walk: then one LIST without delimiter fills the pages of it and of all
// directories after it. Whatever changes cut out of the cache meanwhile, a LIST
// brings its reader on: the rows are then taken from the answer itself.
//
// A large directory is listed in parallel after its first pages (spread.go).
// Where their names show that they end at even distances, as those of counters
// do, the parts are cut where pages will end, and cost nothing. That one page
// more than there are costs nothing either cannot be had: S3 tells neither how
// many names there are nor the rank of one, so the end is found by a LIST that
// begins behind it, unless the directory is read to it page by page. Up to 10,000
// names cost one request per 1000. 100,000 in a third of the time cost 101 if they
// are counted, and 103 if they are hashes, where the last page of each part is
// as often half empty as not.
//
// # Attributes
//
// Mode, owner and times are user metadata of the object (attr.go names the
// dialects), which no LIST tells. The attribute index of a directory (index.go)
// is an object under .s3mount/attrs/ that maps names to versions and their
// attributes. It is a hint: a row is believed only if ETag, size and
// Last-Modified agree with the listing, and if the index was written in a later
// second than the object. The answer to a PUT tells no Last-Modified, so the row
// of what this tool wrote has the Date of that answer, and stands for
// Last-Modified up to a second later (dateLag): what another tool changes in
// that time counts as changed if it changes the bytes, or comes after the index.
// A directory without an index shows defaults and costs no request; one LIST, the
// catalogue, tells which directories have one. Only attributes that a listing would
// show wrong start an index. It is written when the directory has been quiet for a
// second, and by Drain, with If-Match, and merged if another mount wrote it. Deleting
// the indexes loses nothing that Options.Posix "full" would not find again on the
// objects. What "full" found on the objects is remembered on the local disk
// (localattrs.go). An index that is damaged or that S3 does not show is ignored.
//
// A lookup and a listing need only what LIST tells. An object that the index of its
// directory does not cover is asked with a HEAD when its attributes are shown
// (Attributes) or decide about access (Confirm), and the row is mended. A program that
// shows the files of a directory in order gets them in parallel (ask.go).
//
// A LIST does not tell a symlink or another special file from a plain one. Before the
// first special file of a directory comes a row in its index, and before an index
// counts as absent or without such rows, the catalogue must be younger than the
// listing. So no special file of a mount is taken for a plain one, even after a crash.
// Where there are such rows, small objects that the index does not cover are asked when
// they are listed or looked up.
//
// Attributes that change alone are a copy of the object onto itself, which must
// carry all that it has beside its bytes: a HEAD asks for that, unless this
// mount wrote or asked the object moments ago (remember.go).
//
// The marker of a subdirectory is not seen by a delimited LIST. The index row of
// a directory is then shown as a hint (Entry.Exact is false). Confirm finds the exact
// attributes: by the marker in a listing of the directory itself, which may agree with
// the index, or with a HEAD.
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
// Namespace.mu guards all state; the caches' own locks stand below it. Neither
// is held across a request, a wait, or a call of a pending file's stat. Shared
// requests (flight, indexLoad) run on the context of the namespace: a caller
// that gives up leaves them to the others.
//
// # Invariants
//
//   - Pages of one directory do not overlap, and rows of a page are in order
//     within its stretch.
//   - A name in hidden has a deletion that ends.
//   - A key of a directory rename exists under its old or its new name.
//   - An index never decides alone: no row, no index and no catalogue can make
//     an object vanish or show attributes of another version.
package namespace
