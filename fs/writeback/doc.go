// Package writeback holds the bytes that applications have written and S3 does
// not hold yet, and commits them.
//
// # Concepts
//
// A File is a base overlaid by extents. The base is the version of the object
// that the content started from, read through a BaseReader; a new file has
// none. An extent is a run of written bytes, or of zeros that hide the base.
// What neither an extent nor the base holds is zeros (a hole). Extents lie in
// chunks: memory of the cache.Pool at first, and the spool, an unlinked file,
// once the budget is used up.
//
// A commit makes an object of the content at one moment, the snapshot. It
// freezes the chunks: whoever writes during a commit writes elsewhere. When it
// has succeeded the new version is the base, and the extents that it carried
// are dropped.
//
// # Flow
//
//	WriteAt ─ memory (waits) ─ extent ─ a part is full ─ stream: UploadPart
//	Commit ─ snapshot ─┬─ small, or nearly all of it changed: Put
//	                   ├─ stream: the last part, parts written again, CompleteUpload
//	                   └─ large with a base: CopyPart of long unchanged ranges,
//	                      UploadPart of the rest, CompleteUpload
//	                ─ judge: was it ours? ─ resolve a conflict ─ finish: extents turn clean
//
// The bytes of the base that a Put keeps are read before its request starts
// (kept.go), into the pool or the spool: some servers answer no GET of a key while
// a PUT of it is under way, and a body that waited for one would wait for itself.
//
// Holes of at least one part are not sent: if there are two parts of them or
// more, one part of zeros becomes an object below Options.ScratchPrefix, and the
// parts of the holes are copied from it inside S3 (zeros.go). For long holes larger
// objects are made by copies first. The objects go with the last commit that uses
// them. If the server cannot copy, the log says so once and the zeros are sent.
//
// A truncation ends an upload that carries bytes behind the new end, and the
// commit begins anew. Interrupt ends one for a caller that is about to Discard
// the file, so that it need not wait for the upload.
//
// A new file larger than one part streams, and so does what is appended to a
// base: full parts are sent while it is written, behind copies of the base made
// inside S3, or with the bytes of one that is too short for that in the first
// part, so that the commit costs about one round trip. A write into such a
// part marks it, and the commit sends it again under the same number. The bytes
// stay here until S3 has the object: an upload can fail at its last step.
//
// # Conditions
//
// Content that was built on a base is committed with If-Match on its ETag, a
// file that must be new with If-None-Match, a whole replacement without (P3). A
// refused condition, a lost answer and a timeout all lead to a HEAD: if the
// object has the bytes that were sent, the write was ours and has succeeded.
// Else it is a conflict: ErrConflict, and the bytes are kept as
// Options.Conflict says. Where the HEAD gets no answer either the attempt is
// remembered, so that a later commit does not take its object for someone else's.
//
// # Memory
//
// Writers wait for the budget. Meanwhile the spiller, one goroutine, moves
// bytes to the spool in the order in which that costs least; see relieve. With
// the spool full it commits a file early: others then see a state of the file
// between two writes, as after an fsync. When nothing can be done a writer may
// exceed the budget by one part, so that it can fill it (I8), and then fails
// with ErrNoSpace or with what S3 said.
//
// Users, who are known by the context of a write (cache.UserOf), get memory and
// connections in turn, so that hundreds of writers of one do not hold up another.
//
// # Cost
//
// In CPU seconds per GiB written in pieces of 1 MiB, on two cores, server on
// the same machine, medians: a FUSE handler that drops the bytes takes 0.17, one
// that copies them into warm memory 0.23; go-fuse reads into buffers of its own,
// so that the copy cannot be saved. The upload of bytes in memory takes 0.51. So
// no daemon can be cheaper than 1.33 times the upload alone, or 1.45 with the
// copy. This one takes 1.5 in all: what is beyond 0.74 is the spool on tmpfs,
// 0.5 (on ext4 0.2), the first touch of the budget's memory, 0.1, and the locks
// and wake-ups between the goroutines. A file that is opened for reading and
// writing passes the page cache: 0.15 more here, and 0.43 more in the writer.
//
// Two ways around the spool were measured and left. With all bytes kept in
// memory the first touch of a GiB costs more than the spool wherever the host
// has to find the memory: 1.8 to 3.8 in all, and several times the time. O_DIRECT
// saves 0.1 on ext4 but holds the writer to the speed of the disk, 230 MB/s where
// the page cache took 370.
//
// # Failures
//
// The error of an upload in the background is reported by the next write or
// commit of the file (I5), once. The bytes stay dirty and the next Commit tries
// again; not after a write was refused with it and not repeated (refusal). What
// Close cannot commit goes to Options.RecoveryDir, with holes where the base cannot
// be read, and so does what is still open at the end of the Manager. The ids of
// running uploads are noted in Options.StateDir, so that the next mount can abort
// those of a process that was killed. An upload whose creation was executed while
// its answer was lost is known to nobody: a lifecycle rule that aborts incomplete
// uploads takes care of it.
//
// # Journal
//
// With Options.Journal set, Persist puts the written bytes of a file, and
// what is to become of them, into a journal on local disk, and starts the commit:
//
//	Persist ─ record: head, data, checksums ─ fdatasync, shared ─ returns
//	       └─ lingers ─ commit ─ S3 ─ done note ─ a segment whose records are all done is deleted
//	a new mount: Replay ─ locks the journals of dead mounts ─ commits what is not done
//
// A record is whole or it is not there: lengths, head and data have checksums,
// and a torn end is of a Persist that did not return. A file's records build on
// each other, so that older ones stay until the last is done: after a crash any
// of them may be what S3 has. A replay looks at the object first: if it has the
// bytes, and the holes, the commit was done already; if it was written since by
// someone else that is a conflict, and the bytes go to the recovery directory, as do
// those that S3 refuses for good (refused.go). A mount replays also without a
// journal of its own, but only records below its prefix; Waiting returns the rest. What
// a replay has carried out it notes in the journal, which stays while anything in
// it is not. Large files and those that stream wait for S3 instead, and so does everyone while the
// journal is full. Key and properties that change after a Persist need another.
//
// A small file lingers in the journal while files are being closed (linger.go):
// one that is renamed to its true name costs its one PUT, one that is removed
// none. A file that takes the place of another there (Replace) ends the record
// of that one with its own, so that a crash leaves the one or the other.
//
// Note puts a Change of names or attributes among the contents: the caller
// carries it out and says Done, or Replay hands it over in the next mount, in
// the order of its path (inOrder). Nobody waits for the disk: it outlives the
// process, as names do on a local filesystem.
//
// # Invariants
//
// I3, I6 and I9 are checked by File.check and Manager.Stats after every step of
// the tests that compare random operations with a model: extents are in order,
// do not overlap and end within the size; a clean file is its base; chunks are
// counted; at the end all gauges are 0. I4 and I7 are checked by failing every
// store call of every kind of commit, I5 by the tests of cancelled commits, I8
// by streams through a small budget.
//
// # Lock order
//
//  1. File.mu: content, state, stream and run of one file, and the counts of its chunks
//  2. Manager.mu: the files, jobs and waiting writers
//  3. journal.mu, spool.mu, uploadNotes.mu, and those of cache.Pool and cache.Budget
//
// Two Files are never locked at once. No lock is held across a request, access
// to the spool or the journal, a read of the base, or a wait; slots of the spool
// are booked under a lock, which takes no disk access. Methods of snapshot and
// body take File.mu themselves, those named release expect it to be held.
package writeback
