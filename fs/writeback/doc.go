// Package writeback holds the bytes that applications have written and S3 does not
// hold yet, and commits them.
//
// # Concepts
//
//   - A File is a base overlaid by extents (I3). The base is the version that the content
//     started from; a new file has none. An extent is a run of written bytes, or of zeros
//     that hide the base. All other bytes are zeros (a hole). Extents lie in chunks, which
//     are in memory of the cache.Pool or in the spool, an unlinked file.
//   - A commit makes an object of a snapshot of the content. The snapshot freezes the
//     chunks, so that later writes use other memory. After a successful commit the new
//     version is the base, and the extents of the snapshot are dropped.
//   - A stream is a multipart upload of a file that is still being written. Full parts are
//     sent at once, so that a commit takes about one round trip. A write into a sent part
//     marks it, and the commit sends it again.
//   - The journal (journal.go) keeps the content of closed files and the Changes of names
//     and attributes on local disk until S3 has them. Persist returns when the journal has
//     the content; the commit follows after a short delay (linger.go). Replay carries out
//     the journals of dead mounts.
//   - The spiller frees memory for writers that wait for the budget (relieve).
//
// # Flow
//
//	WriteAt ─ memory (waits) ─ extent ─ a part is full ─ stream: UploadPart
//	Commit ─ snapshot ─┬─ small, or nearly all of it changed: Put
//	                   ├─ stream: the last part, rewritten parts, CompleteUpload
//	                   └─ large with a base: CopyPart of long unchanged ranges,
//	                      UploadPart of the rest, CompleteUpload
//	                ─ outcome ─ resolve a conflict ─ finish: extents become clean
//	Persist ─ record ─ fdatasync, shared ─ returns; later: commit ─ done record
//	a new mount: Replay ─ locks the journals of dead mounts ─ commits their records
//
// Long holes are copied inside S3 from an object of zeros (zeros.go). Bytes of the base
// that a Put needs are read before the request starts (kept.go).
//
// # Conditions and failures
//
// Content that is built on a base is committed with If-Match, a file that must be new with
// If-None-Match, and a whole replacement without a condition (P3). After a refused
// condition, a lost answer or a timeout, a HEAD shows whether the object has the bytes that
// were sent. If it does, the commit has succeeded. Otherwise it is a conflict, and the bytes
// are kept according to Options.Conflict. If the HEAD fails, too, the file remembers the
// attempt (attempts.go).
//
// The next write or commit of the file reports the error of a background upload once (I5).
// The bytes stay dirty, and the next Commit tries again, unless a write was refused and not
// repeated (refusal). Content that Close cannot commit goes to Options.RecoveryDir. The
// state directory lists the running uploads, so that the next mount can abort the uploads
// of a killed process.
//
// # Lock order
//
//  1. File.mu: content, state, stream and run of one file, and the counts of its chunks
//  2. Manager.mu: the files, jobs and waiting writers
//  3. journal.mu, spool.mu, uploadNotes.mu, and the locks of cache.Pool and cache.Budget
//
// Two Files are never locked at once. No lock is held during a request, disk I/O, a read
// of the base, or a wait.
//
// # Invariants
//
//   - Extents are in order, do not overlap and end within the size (I3).
//   - Commit returns a version only after S3 has returned an ETag (I4).
//   - An extent becomes clean only if it was not rewritten after its snapshot (I6). A clean
//     file equals its base.
//   - Other clients see the old or the new object, never a mixture (I7). An early commit of a
//     full spool shows a state between two writes, as fsync does.
//   - A writer exceeds the budget by at most one part (I8).
//   - A record of the journal is complete, or it is ignored: its lengths, head and data have
//     checksums. Older records of a file stay until the last one is done, because S3 may have
//     any of them after a crash.
//   - At the end all gauges are 0, and every upload is completed or aborted (I9).
package writeback
