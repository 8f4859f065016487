package readahead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/fair"
)

// openLarge in bytes is the amount that Open fetches of an object that is known to be larger
// than cache.SmallObject. It serves the first read. The window fetches the rest if there is a
// second read.
const openLarge = 256 << 10

// opening is one Open in progress. It is independent of the caller, because the body of its
// GET continues after Open has returned.
type opening struct {
	m      *Manager
	key    string
	hint   Version
	cached bool          // the first block of the hint is cached
	info   bool          // the caller needs the ObjectInfo
	result chan opened   // unbuffered
	left   chan struct{} // closed when the caller has gone
}

// opened is the result of an opening.
type opened struct {
	r    *Reader
	info *s3.ObjectInfo
	err  error
}

// Open asks S3 for the current version of key (P2) and returns a reader of it, in one round
// trip. It sends a GET of the first bytes, or of the whole object if it is small, and caches
// them. hint is the version that the caller expects; it may be zero. If the first block of
// the hint is cached, Open only asks S3 whether the version is current, and the ObjectInfo is
// nil if it is. The error for an absent key is s3.ErrNotFound.
func (m *Manager) Open(ctx context.Context, key string, hint Version) (*Reader, *s3.ObjectInfo, error) {
	return m.open(ctx, &opening{key: key, hint: hint})
}

// OpenWithInfo is like Open, but the ObjectInfo is never nil: if the first block of the hint is
// cached, it sends a HEAD in place of the conditional GET, whose answer has no metadata.
func (m *Manager) OpenWithInfo(ctx context.Context, key string, hint Version) (*Reader, *s3.ObjectInfo, error) {
	return m.open(ctx, &opening{key: key, hint: hint, info: true})
}

func (m *Manager) open(ctx context.Context, o *opening) (*Reader, *s3.ObjectInfo, error) {
	key, hint := o.key, o.hint
	o.m, o.result, o.left = m, make(chan opened), make(chan struct{})
	o.cached = hint.Key == key && strong(hint.ETag) && m.blocks.Has(key, hint.ETag, hint.Size, 0)
	if !m.enqueue(fair.UserOf(ctx), o.run) {
		return nil, nil, ErrClosed
	}
	var res opened
	err := m.patiently(ctx, func(ctx context.Context) error {
		select {
		case res = <-o.result:
			return res.err
		case <-ctx.Done():
			close(o.left)
			return ctx.Err()
		}
	})
	return res.r, res.info, err
}

// Cached reports whether the first bytes of v are cached or on their way into the cache. Of a
// small object all bytes must be.
func (m *Manager) Cached(v Version) bool {
	if !strong(v.ETag) {
		return false
	}
	n := v.Size
	if n > cache.SmallObject {
		n = min(n, cache.BlockSize)
	}
	obj := m.blocks.Object(v.Key, v.ETag, v.Size)
	defer obj.Close()
	for i := int64(0); i*cache.BlockSize < n; i++ {
		if obj.Held(i*cache.BlockSize, 1) == 0 && !m.blocks.OnDisk(v.Key, v.ETag, v.Size, i) {
			return false
		}
	}
	return true
}

// deliver passes the result to the caller, or drops it if the caller has gone.
func (o *opening) deliver(res opened) {
	select {
	case o.result <- res:
	case <-o.left:
		if res.r != nil {
			res.r.Close()
		}
	}
}

// run asks S3 and delivers the result. It sends a HEAD if the bytes are already on their way
// or if the object is empty.
func (o *opening) run() {
	m := o.m
	m.mu.Lock()
	m.opening[o.key]++
	alone := m.opening[o.key] == 1
	m.mu.Unlock()
	defer func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.opening[o.key]--; m.opening[o.key] == 0 {
			delete(m.opening, o.key)
		}
	}()
	empty := o.hint.ETag != "" && o.hint.Size == 0
	if empty || o.cached && o.info || !alone && !o.cached {
		o.head()
		return
	}
	o.get()
}

// head opens with a HEAD.
func (o *opening) head() {
	ctx, cancel := context.WithTimeout(o.m.ctx, o.m.o.Deadline)
	defer cancel()
	o.m.mu.Lock()
	o.m.stats.Heads++
	o.m.mu.Unlock()
	info, err := o.m.store.Head(ctx, &s3.HeadInput{Bucket: o.m.o.Bucket, Key: o.key})
	if err != nil {
		o.fail(err)
		return
	}
	o.m.recordProgress()
	o.deliver(opened{r: o.m.readerOf(o.key, info), info: info})
}

// get opens with a GET and reads its body into the cache.
func (o *opening) get() {
	out, w, ttfb, err := o.send()
	defer w.end()
	switch {
	case errors.Is(err, s3.ErrNotModified) && o.cached:
		r := o.m.OpenVersion(o.hint)
		r.local = o.onDisk()
		o.deliver(opened{r: r})
		return
	case errors.Is(err, s3.ErrInvalidRange): // most servers report an empty object this way
		o.head()
		return
	case err != nil:
		o.fail(err)
		return
	}
	defer out.Body.Close()
	info := out.ObjectInfo
	r := o.m.readerOf(o.key, &info)
	fill := o.claim(r, out)
	f := &fetch{r: r, fill: fill, demanded: true}
	if fill != nil {
		f.hold(&info)
	}
	o.deliver(opened{r: r, info: &info})
	if fill == nil {
		return
	}
	err = f.receive(w, r.Version(), out.Body, fill.Rest(), ttfb)
	if err == nil || errors.Is(err, ErrCorrupt) {
		f.finish(err)
		return
	}
	f.run() // fetches the rest, or ends the fill with an error
}

// send sends the GET. It repeats it on another connection while no answer arrives.
func (o *opening) send() (*s3.GetOutput, *watchdog, time.Duration, error) {
	m := o.m
	patience := m.patience()
	for stuck := time.Duration(0); ; patience *= 2 {
		w := watch(m.ctx, min(patience, m.o.Deadline-stuck))
		start := time.Now()
		out, ttfb, err := m.send(w.ctx, o.request())
		took := time.Since(start)
		if err == nil {
			w.progress()
			m.recordProgress()
		}
		if err == nil || !w.fired() {
			return out, w, ttfb, err
		}
		if stuck += took; stuck >= m.o.Deadline {
			return nil, w, took, fmt.Errorf("opening: %w: %w", s3.ErrDeadline, err)
		}
		w.end()
		m.o.Logger.Debug("a GET got no answer and is sent again", slog.Any("error", err))
	}
}

// request returns the GET. It requests all bytes of an object that is known to be small, since
// S3 returns the checksum of the object only with the whole object. If the size is not known,
// the range extends past the end of a small object.
func (o *opening) request() *s3.GetInput {
	n := int64(cache.SmallObject)
	if o.hint.Size > n || o.m.blocks.Pool().Budget().Deficit() > 0 {
		n = openLarge
	}
	in := &s3.GetInput{Bucket: o.m.o.Bucket, Key: o.key, Range: s3.Bytes(0, n-1), Unchecked: true}
	if o.hint.Size > 0 && o.hint.Size <= n {
		in.Range = s3.Range{}
	}
	if o.cached {
		in.IfNoneMatch = o.hint.ETag
	}
	return in
}

// claim claims the blocks that the body fills. It returns nil if they are present.
func (o *opening) claim(r *Reader, out *s3.GetOutput) *cache.Fill {
	n := min(out.Length, cache.SmallObject)
	if n < out.Size {
		n = roundDown(n)
	}
	if n == 0 || out.Offset != 0 {
		return nil
	}
	return r.obj.Claim(0, int(roundUp(n)/cache.BlockSize), true)
}

// probe is the block that shows whether the disk cache has more of an object than its
// beginning, which Open and a short look at the file fetch.
const probe = int64(2 * firstFetch / cache.BlockSize)

// onDisk reports whether the disk cache seems to have the whole hint. It checks one block.
func (o *opening) onDisk() bool {
	last := (o.hint.Size - 1) / cache.BlockSize
	return o.m.blocks.OnDisk(o.hint.Key, o.hint.ETag, o.hint.Size, min(probe, last))
}

// fail delivers an error.
func (o *opening) fail(err error) {
	if o.m.ctx.Err() != nil {
		err = ErrClosed
	}
	o.deliver(opened{err: err})
}

// readerOf returns a reader of the version that S3 reported. It ignores a weak ETag, because
// different bytes may have the same weak ETag.
func (m *Manager) readerOf(key string, info *s3.ObjectInfo) *Reader {
	etag := info.ETag
	if !strong(etag) {
		etag = ""
	}
	r := m.newReader(m.blocks.Object(key, etag, info.Size))
	r.modified = info.LastModified
	r.audit.expect(info.Checksum)
	return r
}

// strong reports whether an ETag can be a precondition (RFC 9110, section 8.8.3).
func strong(etag string) bool { return etag != "" && !strings.HasPrefix(etag, "W/") }

// sameETag compares ETags and ignores their quotes, in which servers differ.
func sameETag(a, b string) bool { return strings.Trim(a, `"`) == strings.Trim(b, `"`) }
