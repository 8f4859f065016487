package writeback

import (
	"context"
	"fmt"
	"maps"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/s3"
)

// sendParts sends or copies the parts that are not in have, and returns all parts in order.
func (m *Manager) sendParts(ctx context.Context, id s3.UploadID, snap *snapshot, parts []part,
	have map[int]s3.Part, sse *s3.CustomerKey) ([]s3.Part, error) {
	out := make([]s3.Part, len(parts))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(m.o.Connections)
	for i, p := range parts {
		if done, ok := have[p.number]; ok {
			out[i] = done
			continue
		}
		g.Go(func() error {
			send := m.sendPart
			switch {
			case p.copied:
				send = m.copyPart
			case p.zero:
				send = m.copyZeros
			}
			done, err := send(ctx, id, snap, p, sse)
			if err == nil {
				out[i] = *done
			}
			return err
		})
	}
	return out, g.Wait()
}

// sendPart uploads one part of snap.
func (m *Manager) sendPart(ctx context.Context, id s3.UploadID, snap *snapshot, p part, sse *s3.CustomerKey) (*s3.Part, error) {
	var out *s3.Part
	b := snap.body(ctx, p.off, p.n)
	err := m.data(ctx, b, func(ctx context.Context) (err error) {
		out, err = m.store.UploadPart(ctx, &s3.UploadPartInput{Upload: id, PartNumber: p.number,
			Body: b, Size: p.n, SSE: sse})
		return err
	})
	if err != nil && b.err != nil {
		err = b.err
	}
	if err != nil {
		return nil, fmt.Errorf("send part %d of %q: %w", p.number, id.Key, err)
	}
	return out, nil
}

// copyPart copies one part from the base inside S3.
func (m *Manager) copyPart(ctx context.Context, id s3.UploadID, snap *snapshot, p part, sse *s3.CustomerKey) (*s3.Part, error) {
	out, err := m.copyRange(ctx, id, p.number, snap.base.v, span{p.off, p.end()}, sse)
	if err == nil {
		snap.f.sent.Add(p.n)
	}
	return out, err
}

// copyRange copies one part of an upload from a range of v inside S3.
func (m *Manager) copyRange(ctx context.Context, id s3.UploadID, number int, v Version, of span, sse *s3.CustomerKey) (*s3.Part, error) {
	var out *s3.Part
	err := m.data(ctx, nil, func(ctx context.Context) (err error) {
		out, err = m.store.CopyPart(ctx, &s3.CopyPartInput{Upload: id, PartNumber: number,
			SrcBucket: m.o.Bucket, SrcKey: v.Key, SrcVersionID: v.VersionID, SrcIf: s3.Conditions{IfMatch: v.ETag},
			First: of.off, Last: of.end - 1, SSE: sse, SrcSSE: sse})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("copy part %d of %q: %w", number, id.Key, err)
	}
	m.copied.Add(of.len())
	if out.Size == 0 {
		out.Size = of.len()
	}
	return out, nil
}

// createUpload starts a multipart upload and records it for AbortOrphans. copies reports whether
// parts will be copied from the base. If S3 creates an upload and its answer is lost, only a
// lifecycle rule that aborts incomplete uploads removes that upload.
func (m *Manager) createUpload(ctx context.Context, key string, o s3.ObjectOptions, copies bool) (id s3.UploadID, err error) {
	err = m.call(ctx, nil, func(ctx context.Context) (err error) {
		id, err = m.store.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: m.o.Bucket, Key: key, ObjectOptions: o, NoCopies: !copies})
		return err
	})
	if err != nil {
		return id, fmt.Errorf("start upload of %q: %w", key, err)
	}
	m.uploads.Add(1)
	if err := m.notes.add(id); err != nil {
		m.o.Logger.Warn("cannot record a running upload; it stays if this process is killed",
			"key", key, "error", err)
	}
	return id, nil
}

// abortUpload aborts an upload. If that fails, Drain tries again, and the record stays for the next
// mount.
func (m *Manager) abortUpload(id s3.UploadID) {
	if err := m.abort(m.ctx, id); err != nil {
		m.o.Logger.Warn("cannot abort an upload; the unmount or the next mount tries again", "key", id.Key, "error", err)
		m.mu.Lock()
		m.stuck = append(m.stuck, id)
		m.mu.Unlock()
		return
	}
	m.uploads.Add(-1)
	m.notes.remove(id)
}

// retryAborts starts to abort the uploads whose abort failed, and reports whether there were any.
func (m *Manager) retryAborts() bool {
	m.mu.Lock()
	ids := m.stuck
	m.stuck = nil
	m.mu.Unlock()
	for _, id := range ids {
		m.background(func() { m.abortUpload(id) })
	}
	return len(ids) > 0
}

// abort aborts an upload and checks that it is gone. S3 may still execute a part request that was given
// up, and then the upload must be aborted again
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html).
func (m *Manager) abort(ctx context.Context, id s3.UploadID) error {
	const attempts = 3
	for range attempts {
		err := m.call(ctx, nil, func(ctx context.Context) error { return m.store.AbortUpload(ctx, id) })
		if err != nil {
			return err
		}
		err = m.call(ctx, nil, func(ctx context.Context) error {
			_, err := m.store.ListParts(ctx, &s3.ListPartsInput{Upload: id, MaxParts: 1})
			return err
		})
		if err != nil { // it is gone, or its state is unknown
			return nil
		}
	}
	return fmt.Errorf("abort upload of %q: it is still there", id.Key)
}

// carries reports whether the metadata got includes all of want.
func carries(got, want map[string]string) bool {
	for k, v := range maps.All(want) {
		if got[k] != v {
			return false
		}
	}
	return true
}
