// Package attrs stores the attributes that S3 objects do not have of themselves: mode,
// owner, times and extended attributes.
//
// # Concepts
//
//   - Attributes are user metadata of the object. Metadata writes them in the form of
//     s3fs. FromMetadata reads the forms of s3fs, rclone and AWS's file services.
//   - No LIST shows user metadata. The attribute index of a directory is an object below
//     .s3mount/attrs/ that maps names to versions and their attributes (format.go).
//     Table is one such index as S3 holds it.
//   - Index answers from the tables and from the changes of this mount, and writes the
//     changes. A directory that has been quiet for two seconds is written with If-Match,
//     and merged if another mount has written it.
//   - The catalogue knows which directories have an index, from one LIST. A directory
//     without an index costs no request.
//   - Local remembers on the local disk what HEADs have shown, for PosixFull.
//
// # Flow
//
//	Index.Table ──> catalogue (LIST, shared) ──> reader (GET, shared, cached) ──> Table
//	Index.Complete(table, row): pending changes, then the table
//	Index.Note(change) ── quiet for two seconds ──> merge ──> PUT
//
// # Trust
//
// An index is a hint. A row is believed only if ETag, size and Last-Modified agree with
// the listing, and if the index was written in a later second than the object. The answer
// to a PUT has no Last-Modified, so the row of a version that this mount wrote has the
// Date of that answer, and stands for a Last-Modified that is up to a second later
// (dateLag). Only attributes that a listing would show wrong start an index.
// Before the first symlink or other special file of a directory, its index announces it,
// so that no mount takes the file for a plain one, even after a crash.
//
// # Locks
//
// The order is Index.mu, reader.mu, catalogue.mu (package lockorder). No lock is held
// during a request, a wait, or a question to Listing.
//
// # Invariants
//
//   - An index never decides alone: no row, no index and no catalogue can make an object
//     vanish or show attributes of another version.
//   - A row that was not believed does not become believed when its index is written again.
package attrs
