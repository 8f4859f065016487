package s3test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
	"runtime"
	"strings"
	"sync"
	"testing/iotest"

	"github.com/s3mount/s3mount/s3"
)

const (
	// defaultStream is long enough to show growth: three times the bound.
	defaultStream = 128 << 20
	// streamBound is the memory in the documentation of PutStream: five parts of 8 MiB.
	streamBound = 40 << 20
	// streamSlack allows for the buffers of connections and, if the server is in this
	// process, for its memory.
	streamSlack = 24 << 20
	// marked is the distance of the blocks of a long stream that are not zeros.
	marked = 32 << 20
)

// StreamSize is the length of the stream that is put with bounded memory. Default 128 MiB.
func StreamSize(n int64) RunOption { return func(s *suite) { s.streamSize = n } }

// testStream is the row Stream.
func testStream(e *env) {
	e.run("sizes", streamSizes)
	e.run("bounded memory", streamBounded)
	e.run("options", func(e *env) {
		in := &s3.PutStreamInput{Bucket: e.bucket, Key: "options", Body: strings.NewReader(strings.Repeat("x", 9<<20))}
		in.ContentType, in.Metadata = "text/x", map[string]string{"k": "v"}
		_, err := e.c.PutStream(e.ctx, in)
		e.ok("put", err)
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "options"})
		e.ok("head", err)
		if info.ContentType != "text/x" || info.Metadata["k"] != "v" || info.Size != 9<<20 {
			e.Errorf("info = %+v", info)
		}
	})
	e.run("reader fails", func(e *env) {
		broken := errors.New("disk gone")
		for _, size := range []int{100, 12 << 20} {
			_, err := e.c.PutStream(e.ctx, &s3.PutStreamInput{
				Bucket: e.bucket, Key: "broken", Body: io.MultiReader(bytes.NewReader(pattern(size)), iotest.ErrReader(broken)),
			})
			if !errors.Is(err, broken) {
				e.Errorf("after %d bytes: %v, want the reader's error", size, err)
			}
			e.absent("broken")
		}
		e.noUploads("broken")
	})
	e.run("conditions", func(e *env) {
		e.need(ConditionalPut, ConditionalComplete)
		for _, size := range []int{10, 9 << 20} {
			e.put("there", "old")
			_, err := e.c.PutStream(e.ctx, &s3.PutStreamInput{
				Bucket: e.bucket, Key: "there", Body: bytes.NewReader(pattern(size)), IfNoneMatch: "*",
			})
			e.fails("put over an object", err, s3.ErrPreconditionFailed)
			e.holds("there", "old")
		}
		e.noUploads("there")
	})
}

// noUploads checks that nothing is left of the uploads to key.
func (e *env) noUploads(key string) {
	e.Helper()
	page, err := e.c.ListUploads(e.ctx, &s3.ListUploadsInput{Bucket: e.bucket, Prefix: key})
	if err != nil || len(page.Uploads) != 0 {
		e.Errorf("uploads left: %+v %v", page, err)
	}
}

// streamSizes puts streams around the size of a part.
func streamSizes(e *env) {
	const part = 5 << 20
	for _, size := range []int{0, 1, part - 1, part, part + 1, 2 * part, 2*part + 12_345} {
		body := string(pattern(size))
		out, err := e.c.PutStream(e.ctx, &s3.PutStreamInput{
			Bucket: e.bucket, Key: "stream", Body: io.MultiReader(strings.NewReader(body)), PartSize: part, Parallel: 2,
		})
		if err != nil {
			e.Errorf("put a stream of %d bytes: %v", size, err)
			continue
		}
		e.holds("stream", body)
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "stream"})
		if err != nil || e.has(MultipartETag) && info.ETag != out.ETag || out.ETag == "" {
			e.Errorf("ETag of %d bytes = %s, head says %+v %v", size, out.ETag, info, err)
		}
	}
}

// streamBounded holds PutStream to its bound, and a streamed read to a smaller one.
func streamBounded(e *env) {
	size := e.suite.streamSize
	up := newSynthetic(size)
	_, err := e.c.PutStream(e.ctx, &s3.PutStreamInput{Bucket: e.bucket, Key: "long", Body: up})
	e.ok("put", err)
	if grown := up.heap.grown(); e.has(OwnMemory) && grown > streamBound+streamSlack {
		e.Errorf("a stream of %d MiB took %d MiB of memory, want at most %d", size>>20, grown>>20, (streamBound+streamSlack)>>20)
	}
	down := &sink{sum: sha256.New()}
	_, n, err := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "long"}, down)
	e.ok("get", err)
	if want := newSynthetic(size).hash(); n != size || hex.EncodeToString(down.sum.Sum(nil)) != want {
		e.Errorf("read %d bytes that differ from the %d that were written", n, size)
	}
	if grown := down.heap.grown(); e.has(OwnMemory) && grown > streamSlack {
		e.Errorf("reading %d MiB took %d MiB of memory, want at most %d", size>>20, grown>>20, streamSlack>>20)
	}
	_, err = e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "long"})
	e.ok("delete", err)
}

// synthetic is a long stream that takes no memory: zeros, and every 32 MiB a block that
// contains its offset. It measures the heap while it is read.
type synthetic struct {
	size, at int64
	block    []byte
	heap     heapWatch
}

func newSynthetic(size int64) *synthetic {
	return &synthetic{size: size, block: pattern(4 << 10)}
}

// Read implements io.Reader.
func (s *synthetic) Read(p []byte) (int, error) {
	if s.at == s.size {
		return 0, io.EOF
	}
	s.heap.look(s.at)
	p = p[:min(int64(len(p)), s.size-s.at)]
	for n := 0; n < len(p); {
		at := s.at + int64(n)
		inside := at % marked
		if inside < int64(len(s.block)) {
			k := copy(p[n:], s.block[inside:])
			for i := range p[n : n+k] {
				p[n+i] ^= byte(at / marked)
			}
			n += k
			continue
		}
		k := int(min(int64(len(p)-n), marked-inside))
		clear(p[n : n+k])
		n += k
	}
	s.at += int64(len(p))
	return len(p), nil
}

// hash is the SHA-256 of the whole stream.
func (s *synthetic) hash() string {
	h := sha256.New()
	buf := make([]byte, 1<<20)
	for at := int64(0); at < s.size; at += int64(len(buf)) {
		s.heap.next = s.size // not watched
		n, _ := s.Read(buf)
		_, _ = h.Write(buf[:n])
	}
	return hex.EncodeToString(h.Sum(nil))
}

// sink hashes the data that are written to it and measures the heap.
type sink struct {
	sum  hash.Hash
	n    int64
	heap heapWatch
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	s.heap.look(s.n)
	s.n += int64(len(p))
	return s.sum.Write(p)
}

// heapWatch measures by how much the live heap grows.
type heapWatch struct {
	mu        sync.Mutex
	next      int64
	base, top uint64
}

// look measures once every 16 MiB of progress.
func (h *heapWatch) look(at int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at < h.next {
		return
	}
	h.next = at + 16<<20
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	if h.base == 0 {
		h.base = m.HeapAlloc
	}
	h.top = max(h.top, m.HeapAlloc)
}

// grown is by how much, in bytes.
func (h *heapWatch) grown() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int64(h.top - h.base)
}
