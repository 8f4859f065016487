package writeback

import (
	"context"
	"time"
)

// recordCommit writes the content of r to the journal if the journal has an older content of the file
// that is not done. If the process is killed after S3 has made the object, the replay finds the older
// record, and would take the object for another client's without a record of r.
func (f *File) recordCommit(ctx context.Context, r *run) {
	f.mu.Lock()
	j, replaces, baseLen := f.journal, f.replaces, r.snap.baseLen
	b := r.snap.base
	skip := f.m.journal == nil || j.id == 0 || j.seq >= r.snap.seq || j.outdated || r.stream != nil ||
		b != nil && b.foreign || r.object.SSE.Customer != nil || f.state == stateDiscarded
	f.mu.Unlock()
	if skip || f.m.journal.pending(j.id) == 0 {
		return
	}
	rec := &record{Kind: recordFile, File: j.id, Seq: r.snap.seq, Time: time.Now(), Bucket: f.m.o.Bucket, Key: []byte(r.key),
		Replaces: replaces, BaseLen: baseLen, Size: r.size(), Exclusive: r.exclusive, Object: r.object}
	if b != nil {
		rec.Base = &Version{ETag: b.v.ETag, Size: b.v.Size, VersionID: b.v.VersionID}
	}
	for _, e := range r.snap.exts {
		rec.Extents = append(rec.Extents, recordExtent{Off: e.off, N: e.n, Zero: e.c == nil})
	}
	if rec.data() > journalMost {
		return
	}
	// The journal does not count as holding the content: no close has returned for it.
	if err := f.m.journal.put(ctx, rec, r.snap.reader()); err != nil {
		f.m.o.Logger.Warn("cannot write a content that is being committed to the journal", "key", r.key, "error", err)
	}
}

// pending returns the number of records of a file that are not done.
func (j *journal) pending(file uint64) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return len(j.live[file])
}
