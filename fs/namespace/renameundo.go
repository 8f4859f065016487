package namespace

import (
	"context"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// undo deletes the copies of an attempt that failed before anything was deleted.
func (m *move) undo(pairs []pair) {
	ctx, cancel := context.WithTimeout(m.r.jobs.Context(), time.Minute)
	defer cancel()
	m.undone = true
	ids := make([]s3.ObjectID, 0, len(pairs))
	for _, p := range pairs {
		if p.new.ETag == "" {
			// A copy without an answer may exist.
			got, exists, err := m.compare(ctx, p.old, p.new.Key)
			if err != nil {
				m.undone = false // the record stays, and the next mount finishes the rename
				continue
			}
			if !exists || got.keep {
				continue
			}
			p = got
		}
		ids = append(ids, s3.ObjectID{Key: p.new.Key, ETag: p.new.ETag})
	}
	for chunk := range slices.Chunk(ids, s3.MaxListKeys) {
		for key, err := range m.r.objects.delete(ctx, chunk) {
			m.undone = false
			m.r.o.Logger.Warn("a copy of a rename that failed is left behind", "key", key, "err", err)
		}
	}
}

// finishTime is how long a rename may take to finish after its caller was interrupted:
// some requests, and copies inside S3.
const finishTime = time.Minute

// finishing returns a context that ends finishTime after ctx, or with the namespace.
func (r *renamer) finishing(ctx context.Context) (context.Context, context.CancelFunc) {
	out, stop := context.WithCancel(r.jobs.Context())
	unhook := context.AfterFunc(ctx, func() {
		select {
		case <-time.After(finishTime):
			stop()
		case <-out.Done():
		}
	})
	return out, func() { unhook(); stop() }
}

// forget drops the cached entries of both names after a failed attempt, because it is
// not known what was copied and deleted.
func (m *move) forget(list []entry.Entry) {
	m.r.view.known.ForgetTree(m.old)
	m.r.view.known.ForgetTree(m.new)
	for _, e := range list {
		m.r.view.forget(e)
		to := entry.Entry{Key: m.new + e.Key[len(m.old):], Kind: e.Kind}
		for m.r.view.forget(to); len(to.Key) > len(m.new); m.r.view.forget(to) {
			to.Key, _ = m.r.keys.RowOf(to)
			to.Kind = entry.Directory
		}
	}
}
