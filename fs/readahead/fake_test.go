package readahead

import (
	"bytes"
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// fakeStore is a Store in memory, with the latency and the bandwidth of a link
// (in real time, or in the time of a synctest bubble) and with faults.
type fakeStore struct {
	latency time.Duration
	rate    float64                            // bytes per second of one body; 0: at once
	shared  float64                            // bytes per second of all bodies together; 0: no limit
	fault   func(n int, in *s3.GetInput) fault // for the n-th GET, from 1

	ignoreMatch bool // ignores conditions

	mu        sync.Mutex
	objects   map[string]fakeObject
	gets      []s3.GetInput
	heads     int
	sent      int64
	inflight  int
	maxFlight int
	cutShort  int       // bodies closed before their end
	free      time.Time // when the shared link is free again
}

// fakeObject is an object whose bytes follow from its seed.
type fakeObject struct {
	etag     string
	size     int64
	seed     uint64
	modified time.Time
}

// fault is a fault of one GET.
type fault struct {
	err      error // instead of an answer
	cutAfter int64 // the body ends with cutErr after so many bytes, if cutErr is set
	cutErr   error
	hang     bool          // no answer until the context ends
	late     time.Duration // the answer takes that much longer
	slow     float64       // bytes per second of the body, after slowFrom bytes
	slowFrom int64
	hangBody bool // the body stops after cutAfter bytes until the context ends
	before   func()
}

func newFakeStore() *fakeStore { return &fakeStore{objects: make(map[string]fakeObject)} }

// put makes an object of size bytes and returns its version.
func (s *fakeStore) put(key string, size int64, seed uint64) Version {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := fakeObject{etag: fmt.Sprintf(`"%s-%d-%d"`, key, size, seed), size: size, seed: seed, modified: time.Unix(int64(seed), 0)}
	s.objects[key] = o
	return Version{Key: key, ETag: o.etag, Size: size}
}

func (s *fakeStore) remove(key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.objects, key)
}

// rename makes the object from known as to.
func (s *fakeStore) rename(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects[to] = s.objects[from]
	delete(s.objects, from)
}

func (s *fakeStore) sentSoFar() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sent
}

// count returns the number of GETs so far.
func (s *fakeStore) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.gets)
}

// get returns the i-th GET, from 0.
func (s *fakeStore) get(i int) s3.GetInput {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gets[i]
}

// stripETag removes the ETag of an object.
func (s *fakeStore) stripETag(key string) { s.setETag(key, "") }

func (s *fakeStore) setETag(key, etag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.objects[key]
	o.etag = etag
	s.objects[key] = o
}

// noise is the source of all content. Its length is a prime, so that no two blocks of an object are
// the same.
var noise = sync.OnceValue(func() []byte {
	p := make([]byte, 1048583)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(p)
	return p
})

// content writes the bytes at off of the object with this seed into p. Like isContent, it shows the
// race detector one byte of each page.
func content(seed uint64, off int64, p []byte) {
	at := (uint64(off) + seed*7919) % uint64(len(noise()))
	for i := 0; i < len(p); i += cache.FineSize {
		p[i] = noise()[(at+uint64(i))%uint64(len(noise()))]
	}
	for len(p) > 0 {
		n := min(len(p), len(noBits())) // the rest is a copy that the detector does not see
		n = subtle.XORBytes(p, noise()[at:][:min(n, len(noise())-int(at))], noBits())
		p, at = p[n:], (at+uint64(n))%uint64(len(noise()))
	}
}

// noBits is zeros, so that XOR with it changes nothing.
var noBits = sync.OnceValue(func() []byte { return make([]byte, 64<<10) })

// isContent reports whether p has the bytes of content. It copies nothing. It shows the race detector
// one byte of each page, because the detector is slow for each byte, and code that frees memory writes
// all of a page.
func isContent(seed uint64, off int64, p []byte) bool {
	for i := 0; i < len(p); i += cache.FineSize {
		if p[i] != noise()[(uint64(off)+uint64(i)+seed*7919)%uint64(len(noise()))] {
			return false
		}
	}
	at := int((uint64(off) + seed*7919) % uint64(len(noise())))
	for len(p) > 0 {
		n := min(len(p), len(noise())-at)
		if !bytes.Equal(p[:n], noise()[at:][:n]) {
			return false
		}
		p, at = p[n:], 0
	}
	return true
}

func wantContent(seed uint64, off int64, n int) []byte {
	p := make([]byte, n)
	content(seed, off, p)
	return p
}

func (s *fakeStore) Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error) {
	if err := sleep(ctx, s.latency); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heads++
	o, ok := s.objects[in.Key]
	if !ok {
		return nil, fmt.Errorf("head: %w", s3.ErrNotFound)
	}
	return &s3.ObjectInfo{Key: in.Key, Size: o.size, ETag: o.etag, LastModified: o.modified}, nil
}

func (s *fakeStore) Get(ctx context.Context, in *s3.GetInput) (*s3.GetOutput, error) {
	s.mu.Lock()
	s.gets = append(s.gets, *in)
	n := len(s.gets)
	s.inflight++
	s.maxFlight = max(s.maxFlight, s.inflight)
	s.mu.Unlock()
	out, err := s.answer(ctx, n, in)
	if err != nil {
		s.mu.Lock()
		s.inflight--
		s.mu.Unlock()
	}
	return out, err
}

func (s *fakeStore) answer(ctx context.Context, n int, in *s3.GetInput) (*s3.GetOutput, error) {
	var f fault
	if s.fault != nil {
		f = s.fault(n, in)
	}
	if f.before != nil {
		f.before()
	}
	if f.hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if err := sleep(ctx, s.latency+f.late); err != nil {
		return nil, err
	}
	if f.err != nil {
		return nil, f.err
	}
	s.mu.Lock()
	o, ok := s.objects[in.Key]
	s.mu.Unlock()
	first, last, isRange := rangeOf(in.Range)
	switch {
	case !ok:
		return nil, fmt.Errorf("get: %w", s3.ErrNotFound)
	case s.ignoreMatch:
	case in.IfMatch != "" && in.IfMatch != o.etag, !in.IfUnmodifiedSince.IsZero() && o.modified.After(in.IfUnmodifiedSince):
		return nil, fmt.Errorf("get: %w", s3.ErrPreconditionFailed)
	case in.IfNoneMatch != "" && in.IfNoneMatch == o.etag:
		return nil, fmt.Errorf("get: %w", s3.ErrNotModified)
	}
	if isRange && first >= o.size {
		return nil, fmt.Errorf("get: %w", s3.ErrInvalidRange)
	}
	last = min(last, o.size-1)
	body := &fakeBody{s: s, ctx: ctx, o: o, off: first, end: last + 1, f: f, started: time.Now(), first: first}
	return &s3.GetOutput{
		ObjectInfo: s3.ObjectInfo{Key: in.Key, Size: o.size, ETag: o.etag, LastModified: o.modified},
		Body:       body, Offset: first, Length: last + 1 - first,
	}, nil
}

// rangeOf parses the printed form of s3.Bytes.
func rangeOf(r s3.Range) (first, last int64, ok bool) {
	if r == (s3.Range{}) {
		return 0, math.MaxInt64, false
	}
	if n, err := fmt.Sscanf(r.String(), "bytes=%d-%d", &first, &last); n != 2 || err != nil {
		panic(fmt.Sprintf("range %v: %v", r, err))
	}
	return first, last, true
}

type fakeBody struct {
	s        *fakeStore
	ctx      context.Context
	o        fakeObject
	first    int64
	off, end int64
	f        fault
	started  time.Time
	closed   bool
}

func (b *fakeBody) Read(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("read of a closed body")
	}
	if b.off == b.end {
		return 0, io.EOF
	}
	if cut := b.f.cutAfter; b.f.cutErr != nil || b.f.hangBody {
		if b.off-b.first >= cut {
			if b.f.hangBody {
				<-b.ctx.Done()
				return 0, b.ctx.Err()
			}
			return 0, b.f.cutErr
		}
		p = p[:min(int64(len(p)), cut-(b.off-b.first))]
	}
	p = p[:min(int64(len(p)), b.end-b.off, 64<<10)] // as a socket returns it
	if b.s.rate > 0 {
		due := time.Duration(b.f.seconds(b.s.rate, float64(b.off-b.first+int64(len(p)))) * float64(time.Second))
		if err := sleep(b.ctx, due-time.Since(b.started)); err != nil {
			return 0, err
		}
	}
	if err := sleep(b.ctx, b.s.turn(len(p))); err != nil {
		return 0, err
	}
	content(b.o.seed, b.off, p)
	b.off += int64(len(p))
	b.s.mu.Lock()
	b.s.sent += int64(len(p))
	b.s.mu.Unlock()
	return len(p), nil
}

// seconds returns the time at which the first n bytes of a body have arrived, at rate or at the speed
// of f.
func (f fault) seconds(rate, n float64) float64 {
	if f.slow == 0 || n <= float64(f.slowFrom) {
		return n / rate
	}
	return float64(f.slowFrom)/rate + (n-float64(f.slowFrom))/f.slow
}

// turn returns how long n bytes have to wait for the shared link.
func (s *fakeStore) turn(n int) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shared == 0 {
		return 0
	}
	if now := time.Now(); s.free.Before(now) {
		s.free = now
	}
	s.free = s.free.Add(time.Duration(float64(n) / s.shared * float64(time.Second)))
	return time.Until(s.free)
}

func (b *fakeBody) Close() error {
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	if !b.closed {
		b.closed = true
		b.s.inflight--
		if b.off < b.end {
			b.s.cutShort++
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rig is a Manager over a fakeStore. It checks the gauges at its end.
type rig struct {
	*Manager
	store  *fakeStore
	pool   *cache.Pool
	blocks *cache.Blocks
}

// newRig returns a rig with limit bytes of memory. At the end of the test all memory must be released
// (I9).
func newRig(t testing.TB, store *fakeStore, limit int64, change ...func(*Options)) *rig {
	t.Helper()
	o := Options{Bucket: "b"}
	for _, f := range change {
		f(&o)
	}
	pool := cache.NewPool(cache.NewBudget(limit))
	pool.Guard()
	blocks := cache.NewBlocks(pool)
	return &rig{New(store, blocks, o), store, pool, blocks}
}

// end closes the manager and checks the gauges.
func (r *rig) end(t testing.TB) {
	t.Helper()
	r.Close()
	if s := r.Stats(); s.Running != 0 || s.Queued != 0 || s.Readers != 0 {
		t.Errorf("manager at the end: %+v", s)
	}
	s := r.blocks.Stats()
	if s.Filling != 0 || s.Pins != 0 || s.Readers != 0 {
		t.Errorf("blocks at the end: %+v", s)
	}
	r.blocks.Purge()
	if s := r.blocks.Stats(); s != (cache.BlocksStats{}) {
		t.Errorf("blocks after Purge: %+v", s)
	}
	if n := r.pool.Budget().Used(); n != 0 {
		t.Errorf("%d bytes of the budget are still used", n)
	}
	r.pool.Trim()
	if s := r.pool.Stats(); s != (cache.PoolStats{}) {
		t.Errorf("pool at the end: %+v", s)
	}
	r.store.mu.Lock()
	defer r.store.mu.Unlock()
	if n := len(r.emergency); n != 0 {
		t.Errorf("%d emergencies have no end", n)
	}
	if r.store.inflight != 0 {
		t.Errorf("%d bodies were not closed", r.store.inflight)
	}
}
