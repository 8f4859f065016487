package readahead

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3/fair"
)

// copySize in bytes is the size of the largest read of FUSE. CopyAt pins as much at a time.
const copySize = 1 << 20

// Reader reads one version of one object. Its methods are safe for concurrent use. Close must
// be called once. It does not interrupt reads in progress.
type Reader struct {
	m        *Manager
	obj      *cache.Object
	audit    *audit
	modified time.Time // distinguishes versions without an ETag; may be zero
	local    bool      // at open, the disk cache had the version, as far as one block showed

	// Manager.mu guards the following fields.
	closed  bool
	reads   int64
	fine    *cache.Object // the same version in small blocks; nil before a random read
	jumps   int           // reads that continued no stream; each read that continues one halves it
	streams []*stream     // at most maxStreams
	last    *stream       // of the last read
	lastOff int64         // of the last read
	step    int64         // between the last two reads
	steps   int           // how often step was repeated
}

// newReader returns a reader that owns one reference to obj.
func (m *Manager) newReader(obj *cache.Object) *Reader {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stats.Readers++
	return &Reader{m: m, obj: obj, audit: m.auditOf(obj)}
}

// Version returns the version that is read, with its current name.
func (r *Reader) Version() Version {
	key, etag := r.obj.ID()
	return Version{Key: key, ETag: etag, Size: r.obj.Size()}
}

// ReadAt returns the bytes [off, off+n), cut at the end of the object. The caller must call Done on
// them. ReadAt waits until they are present. Its error is the error of ctx or of the fetch,
// ErrStale, or ErrClosed. The fetch continues when ctx ends.
func (r *Reader) ReadAt(ctx context.Context, off int64, n int) (*Pins, error) {
	if off < 0 || n < 0 {
		return nil, errors.New("read at a negative offset or of a negative length")
	}
	if err := r.audit.err(); err != nil {
		return nil, err
	}
	p := r.obj.Pin(off, n)
	if p.Size() == 0 {
		return p, nil
	}
	s, hungry := r.observe(off, int64(p.Size()), p.Ready())
	if p.Ready() {
		if hungry {
			r.m.pull()
		}
		return p, nil
	}
	if fine := r.sparse(p, off, s); fine != nil {
		p, s = fine, nil
	}
	if err := r.await(ctx, p, s, func() int { return r.reach(s) }); err != nil {
		p.Done()
		return nil, err
	}
	return p, nil
}

// readWithin is like ReadAt for a caller that reads on up to end and no farther. It fetches all
// absent bytes up to end with one GET, and fetches nothing ahead.
func (r *Reader) readWithin(ctx context.Context, off int64, n int, end int64) (*Pins, error) {
	if err := r.audit.err(); err != nil {
		return nil, err
	}
	p := r.obj.Pin(off, n)
	if p.Size() == 0 || p.Ready() {
		return p, nil
	}
	rest := min(end-p.End(), r.m.o.fetchSize)
	reach := int(max(0, rest+cache.BlockSize-1) / cache.BlockSize)
	if err := r.await(ctx, p, nil, func() int { return reach }); err != nil {
		p.Done()
		return nil, err
	}
	return p, nil
}

// await fetches the absent blocks of p and as many blocks after them as reach returns, and waits
// for all blocks of p.
func (r *Reader) await(ctx context.Context, p *Pins, s *stream, reach func() int) error {
	return r.m.patiently(ctx, func(ctx context.Context) error { return r.fetchAll(ctx, p, s, reach) })
}

// fetchAll is await without a time limit.
func (r *Reader) fetchAll(ctx context.Context, p *Pins, s *stream, reach func() int) error {
	forced := false
	for {
		if err := r.demand(ctx, p, s, reach, &forced); err != nil {
			return err
		}
		r.m.pull()
		err := p.Wait(ctx)
		if err == nil {
			return r.audit.err()
		}
		if !errors.Is(err, cache.ErrAgain) {
			return err
		}
		p.Retry()
	}
}

// demand starts the fetches of all absent blocks of p. A small object that had a wrong checksum is
// fetched as a whole, so that no reader gets bytes before they are compared again. forced reports whether p may exceed the
// budget.
func (r *Reader) demand(ctx context.Context, p *Pins, s *stream, reach func() int, forced *bool) error {
	for {
		_, n := p.Missing()
		if n == 0 {
			return nil
		}
		var fill *cache.Fill
		if r.obj.Size() <= cache.SmallObject && r.audit.isAgain() {
			fill = r.obj.Claim(0, cache.SmallObject/cache.BlockSize, *forced)
		}
		if fill == nil {
			fill = p.Claim(reach(), *forced)
		}
		if fill != nil {
			if err := r.start(ctx, fill, s); err != nil {
				return err
			}
			continue
		}
		if _, n := p.Missing(); n == 0 || *forced {
			continue
		}
		if err := r.m.takeEmergency(ctx, p); err != nil {
			return err
		}
		*forced = true
	}
}

// takeEmergency waits until p may exceed the budget. Done of p ends this permission.
func (m *Manager) takeEmergency(ctx context.Context, p *Pins) error {
	select {
	case m.emergency <- struct{}{}:
		p.OnDone(func() { <-m.emergency })
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-m.ctx.Done():
		return ErrClosed
	}
}

// reach returns the number of blocks after a read of s to fetch together with it.
func (r *Reader) reach(s *stream) int {
	if s == nil {
		return 0
	}
	r.m.mu.Lock()
	defer r.m.mu.Unlock()
	return s.reach(r.m.window(s))
}

// start runs the fetch of fill, for a read with ctx that waits for it.
func (r *Reader) start(ctx context.Context, fill *cache.Fill, s *stream) error {
	f := &fetch{r: r, s: s, fill: fill, demanded: true}
	if s != nil {
		r.m.mu.Lock()
		s.fetches = append(s.fetches, f)
		if s.dir == forward {
			s.ahead = max(s.ahead, roundUp(fill.End()))
		}
		r.m.mu.Unlock()
	}
	if !r.m.enqueue(fair.UserOf(ctx), f.run) {
		fill.Abandon(ErrClosed)
		return ErrClosed
	}
	return nil
}

// CopyAt reads into p like io.ReaderAt: a short read returns io.EOF.
func (r *Reader) CopyAt(ctx context.Context, p []byte, off int64) (int, error) {
	return copyOut(p, off, func(off int64, n int) (*Pins, error) { return r.ReadAt(ctx, off, n) })
}

// CopyWithin is like CopyAt for a caller that reads on up to end and no farther. It fetches whole
// blocks of that range and nothing behind it.
func (r *Reader) CopyWithin(ctx context.Context, p []byte, off, end int64) (int, error) {
	return copyOut(p, off, func(off int64, n int) (*Pins, error) { return r.readWithin(ctx, off, n, end) })
}

// copyOut fills p with the bytes that read returns from off on.
func copyOut(p []byte, off int64, read func(off int64, n int) (*Pins, error)) (int, error) {
	done := 0
	for done < len(p) {
		pins, err := read(off+int64(done), min(len(p)-done, copySize))
		if err != nil {
			return done, err
		}
		n := pins.Size()
		for _, b := range pins.Slices() {
			done += copy(p[done:], b)
		}
		pins.Done()
		if n == 0 {
			return done, io.EOF
		}
	}
	return done, nil
}

// Close releases the reader's version. Its fetches ahead end, unless another caller waits for them.
func (r *Reader) Close() {
	m := r.m
	m.mu.Lock()
	if r.closed {
		m.mu.Unlock()
		panic("readahead: Reader closed twice")
	}
	r.closed = true
	m.stats.Readers--
	for _, s := range r.streams {
		m.drop(s)
	}
	r.streams = nil
	fine := r.fine
	m.leaveAudit(r.obj, r.audit)
	m.mu.Unlock()
	r.obj.Close()
	if fine != nil {
		fine.Close()
	}
}
