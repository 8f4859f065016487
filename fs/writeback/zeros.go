package writeback

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"reflect"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/s3mount/s3mount/s3"
)

const (
	// zeroFirst is the size of the zeros that are sent. It is one part, and not more than a
	// link of 90 MB/s sends in 0.1 s.
	zeroFirst = 8 << 20
	// zeroStep is the ratio between the sizes of two objects of zeros. 16 copies take one
	// round trip with the default connections.
	zeroStep = 16
	// zeroLargest is the size of the largest object of zeros. S3 copies about 300 MiB/s per
	// request, so that a copy takes 3.4 s, far less than any deadline. 60 GiB take 60
	// copies.
	zeroLargest = 1 << 30
	// zeroCopies is the number of copies from which on a larger object of zeros is made, which
	// costs zeroStep copies and three requests.
	zeroCopies = 64
)

// zeroPart returns the size of the parts of holes.
func (l limits) zeroPart(holes []span) int64 {
	total := int64(0)
	for _, h := range holes {
		total += h.len()
	}
	size := min(l.part, max(zeroFirst, l.min))
	for total/size > zeroCopies && size < min(zeroLargest, l.max) {
		size = min(size*zeroStep, zeroLargest, l.max)
	}
	return size
}

// zeros makes objects of zeros in S3. S3 copies the long holes of files from them. The objects
// exist only while commits use them.
type zeros struct {
	m    *Manager
	turn chan struct{} // held by the goroutine that makes objects

	mu     sync.Mutex
	users  int
	refuse bool                    // the server cannot copy parts
	sse    s3.ServerSideEncryption // the encryption of the objects
	have   []Version               // in the order of their sizes
}

func newZeros(m *Manager) *zeros { return &zeros{m: m, turn: make(chan struct{}, 1)} }

// zeroObject is an object of zeros in use by one commit.
type zeroObject struct {
	z *zeros
	v Version
}

// errNoZeros means that there is no object of zeros, so that the zeros must be sent.
var errNoZeros = errors.New("there is no object of zeros")

// layOut divides r into parts with cut, which gets the holes that are worth copying. It returns the
// parts and the object of zeros, which the caller must free.
func (f *File) layOut(ctx context.Context, r *run, t target, cut func(holes []span) []part) ([]part, *zeroObject, error) {
	holes, total := r.snap.holes(f.m.limits.part), int64(0)
	for _, h := range holes {
		total += h.len()
	}
	if total < 2*f.m.limits.part {
		return cut(nil), nil, nil
	}
	parts, most := cut(holes), int64(0)
	for _, p := range parts {
		if p.zero {
			most = max(most, p.n)
		}
	}
	if most == 0 {
		return parts, nil, nil
	}
	z, err := f.m.zeros.take(ctx, most, t.object.SSE)
	if errors.Is(err, errNoZeros) {
		return cut(nil), nil, nil
	}
	r.snap.zeros = z
	return parts, z, err
}

// take returns an object of at least size zeros with the encryption sse.
func (z *zeros) take(ctx context.Context, size int64, sse s3.ServerSideEncryption) (*zeroObject, error) {
	if !z.begin(sse) {
		return nil, errNoZeros
	}
	v, err := z.grow(ctx, size)
	if err == nil {
		return &zeroObject{z: z, v: v}, nil
	}
	z.end()
	if ctx.Err() == nil && z.m.cannot(err) {
		z.give(err)
		return nil, errNoZeros
	}
	return nil, fmt.Errorf("make an object of zeros: %w", err)
}

// cannot reports whether err means that the server does not support the request.
func (*Manager) cannot(err error) bool {
	for _, passing := range []error{s3.ErrTransient, s3.ErrDeadline, s3.ErrConflict, s3.ErrNotFound, s3.ErrNoCredentials,
		s3.ErrExpiredCredentials, s3.ErrClockSkew, s3.ErrLostUpload} {
		if errors.Is(err, passing) {
			return false
		}
	}
	return true
}

// begin adds a user. It returns false if no zeros can be made for it.
func (z *zeros) begin(sse s3.ServerSideEncryption) bool {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.refuse || z.m.o.ScratchPrefix == "" || z.users > 0 && !reflect.DeepEqual(z.sse, sse) {
		return false
	}
	z.users++
	z.sse = sse
	return true
}

// end removes a user. The last one deletes the objects.
func (z *zeros) end() {
	z.mu.Lock()
	z.users--
	var gone []Version
	if z.users == 0 {
		gone, z.have = z.have, nil
	}
	z.mu.Unlock()
	for _, v := range gone {
		z.m.background(func() { z.m.dropScratch(v) })
	}
}

// give ends the use of zeros because the server refuses a request for them.
func (z *zeros) give(cause error) {
	z.mu.Lock()
	said := z.refuse
	z.refuse = true
	z.mu.Unlock()
	if !said {
		z.m.o.Logger.Warn("the server cannot copy zeros into the holes of files; the zeros are sent", "error", cause)
	}
}

// free ends the use of an object. o may be nil.
func (o *zeroObject) free() {
	if o != nil {
		o.z.end()
	}
}

// grow makes objects until one has size bytes. It copies each from the one before.
func (z *zeros) grow(ctx context.Context, size int64) (Version, error) {
	select {
	case z.turn <- struct{}{}:
	case <-ctx.Done():
		return Version{}, context.Cause(ctx)
	}
	defer func() { <-z.turn }()
	for {
		z.mu.Lock()
		var last Version
		if n := len(z.have); n > 0 {
			last = z.have[n-1]
		}
		z.mu.Unlock()
		if last.Size >= size && last.Size > 0 {
			return last, nil
		}
		next, err := z.larger(ctx, last, size)
		if err != nil {
			return Version{}, err
		}
		z.mu.Lock()
		z.have = append(z.have, next)
		z.mu.Unlock()
	}
}

// larger makes an object that is larger than last, which may be empty.
func (z *zeros) larger(ctx context.Context, last Version, size int64) (Version, error) {
	l := z.m.limits
	v := Version{Key: z.m.o.ScratchPrefix + rand.Text(), Size: min(size, max(l.min, min(l.part, zeroFirst)))}
	if last.Size > 0 {
		v.Size = min(size, last.Size*zeroStep)
	}
	if err := z.m.notes.add(z.m.scratch(v.Key)); err != nil {
		z.m.o.Logger.Warn("cannot record an object of zeros; it stays if this process is killed", "key", v.Key, "error", err)
	}
	var out *s3.PutOutput
	var err error
	if last.Size == 0 {
		out, err = z.send(ctx, v)
	} else {
		out, err = z.copyOf(ctx, last, v)
	}
	if err != nil {
		z.m.background(func() { z.m.dropScratch(v) }) // it may exist although the answer was lost
		return v, err
	}
	v.ETag, v.VersionID = out.ETag, out.VersionID
	return v, nil
}

// send makes v from zeros that are sent.
func (z *zeros) send(ctx context.Context, v Version) (out *s3.PutOutput, err error) {
	err = z.m.data(ctx, nil, func(ctx context.Context) (err error) {
		out, err = z.m.store.Put(ctx, &s3.PutInput{Bucket: z.m.o.Bucket, Key: v.Key,
			Body: io.NewSectionReader(zeroReader{}, 0, v.Size), Size: v.Size,
			ObjectOptions: s3.ObjectOptions{SSE: z.sse}})
		return err
	})
	z.m.sent.Add(v.Size)
	return out, err
}

// copyOf makes v from copies of a smaller object.
func (z *zeros) copyOf(ctx context.Context, small, v Version) (out *s3.PutOutput, err error) {
	m, l := z.m, z.m.limits
	l.zeroMax = small.Size
	parts := l.cutParts(nil, v.Size, []copied{{span: span{0, v.Size}, zero: true}})
	id, err := m.createUpload(ctx, v.Key, s3.ObjectOptions{SSE: z.sse}, true)
	if err != nil {
		return nil, err
	}
	made := make([]s3.Part, len(parts))
	g, copying := errgroup.WithContext(ctx)
	for i, p := range parts {
		g.Go(func() error {
			part, err := m.copyRange(copying, id, p.number, small, span{0, p.n}, z.sse.Customer)
			if err == nil {
				made[i] = *part
			}
			return err
		})
	}
	if err = g.Wait(); err == nil {
		err = m.call(ctx, nil, func(ctx context.Context) (err error) {
			out, err = m.store.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: id, Parts: made, SSE: z.sse.Customer})
			return err
		})
	}
	if err != nil {
		m.background(func() { m.abortUpload(id) })
		return nil, err
	}
	m.uploads.Add(-1)
	m.notes.remove(id)
	return out, nil
}

// dropScratch deletes an object of scratch. If that fails, the next mount deletes it.
func (m *Manager) dropScratch(v Version) {
	err := m.call(m.ctx, nil, func(ctx context.Context) error {
		_, err := m.store.Delete(ctx, &s3.DeleteInput{Bucket: m.o.Bucket, Key: v.Key, VersionID: v.VersionID})
		return err
	})
	if err != nil && !errors.Is(err, s3.ErrNotFound) {
		m.o.Logger.Warn("cannot delete an object of zeros; the next mount tries again", "key", v.Key, "error", err)
		return
	}
	m.notes.remove(m.scratch(v.Key))
}

// copyZeros copies one part from the object of zeros. If the server refuses the copy, it sends the zeros.
func (m *Manager) copyZeros(ctx context.Context, id s3.UploadID, snap *snapshot, p part, sse *s3.CustomerKey) (*s3.Part, error) {
	out, err := m.copyRange(ctx, id, p.number, snap.zeros.v, span{0, p.n}, sse)
	if err != nil && ctx.Err() == nil && m.cannot(err) {
		m.zeros.give(err)
		return m.sendPart(ctx, id, snap, p, sse)
	}
	if err == nil {
		snap.f.sent.Add(p.n)
	}
	return out, err
}

// zeroReader reads zeros.
type zeroReader struct{}

// ReadAt implements io.ReaderAt.
func (zeroReader) ReadAt(p []byte, _ int64) (int, error) {
	clear(p)
	return len(p), nil
}
