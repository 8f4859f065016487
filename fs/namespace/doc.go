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
// A segment that contains one of these forms is escaped with one more "%": the
// segment "a%~d" has the name "a%~%d". All other bytes, including newlines, invalid
// UTF-8 and "%", represent themselves. Creating a name that represents no segment
// fails with ErrInvalidName. The object of size 0 under a directory's own key is its
// marker and has no name. The prefix .s3mount/ at the root is reserved. A file and a
// directory may share a key ("d/" is the file d/%~f and the directory "d/"). They
// have different Entry.IDs.
//
// # Parts
//
// Namespace has one part for each responsibility. A part uses only parts that stand
// before it in this list:
//
//	bucket      the options, and names as keys      bucket.go, names.go
//	view        which names the mount shows         view.go, hidden.go, pending.go
//	objects     requests for single objects         objects.go
//	attributes  exact attributes of entries         attributes.go, ask.go
//	finder      lookups and listings                lookup.go, lister.go
//	keeper      markers that keep a directory       keep.go
//	queue       deletions on their way              delete.go, removallog.go
//	remover     unlink and rmdir                    remove.go, rmdir.go
//	maker       mkdir and mknod                     create.go
//	attrWriter  chmod, chown and utimens            setattr.go
//	renamer     rename                              rename.go, renamedir.go
//	recovery    the rest of a mount that died       recover.go
//
// # Lookup and listing
//
// The view answers a lookup, otherwise a HEAD, and after a 404 a LIST of one key. The
// second lookup in a directory that needs a request, or the first on the way down from
// another directory, is answered by a LIST of a thousand names around it (lookuplist.go).
// A Lister shows the rows that a listing.Reader reads, with the pending files, which are
// not in S3 yet, and without the hidden names, which are deleted here and still in S3.
//
// # Attributes
//
// A listing shows default attributes where no hint has others. Attributes reads the exact
// ones when a program looks at a file, and those of the files behind it in parallel if the
// program looks at one after the other. Confirm never returns defaults in place of the
// attributes of an object, so an access decision may rest on it. A change of attributes
// is a copy of the object onto itself.
//
// # Changes
//
// Unlink, Rmdir and Rename return when S3 has executed the delete. UnlinkInRun and
// RmdirInRun hide the name at once, record the removal in the state directory, and gather
// the deletes; fs uses them for all but the first of many removals (fs/removalruns.go).
// Every other change waits until S3 has executed the removals that were acknowledged, so
// that other clients see changes in the order in which they were made. Before the last
// child of a directory without marker is deleted, the marker is written. A failed delete
// brings the name back, and the next FlushDir, Rmdir or Drain reports it. With
// Options.Journaled no delete is waited for, and a passing failure is tried again.
//
// A file is renamed by a copy of the version that was seen and the delete of exactly
// that version. A directory is renamed by copies of all objects, then deletes of all,
// with a record in the state directory (renamerecord.go).
//
// # Calls by fs
//
// fs calls Recover before the first operation, and Drain and Close at the end. It
// calls WaitDeleted before each commit, Committed after each commit, Observe after a
// GET or HEAD, and AddPending for a new file until its first commit or unlink
// (DropPending). Before a directory is renamed, fs commits the dirty files below it.
//
// # Locks
//
// The locks of queue, keeper, askRuns, permission, view and pendingFiles are acquired in this order,
// before the locks of packages attrs and listing (package lockorder). None is held during
// a request, a wait, or a call of a pending file. Shared requests run on the context of the
// namespace: a caller that gives up leaves them to the others.
//
// # Invariants
//
//   - A hidden name has a deletion that ends.
//   - A key of a directory rename exists under its old or its new name.
package namespace
