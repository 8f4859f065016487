package readahead

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// flipper inverts one byte of an object in the answers to GETs.
type flipper struct {
	next http.RoundTripper

	mu    sync.Mutex
	at    int64 // in the object
	times int   // the number of answers with a wrong byte; negative: all
}

// set chooses the byte and the number of answers.
func (f *flipper) set(at int64, times int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.at, f.times = at, times
}

func (f *flipper) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := f.next.RoundTrip(r)
	if err != nil || r.Method != http.MethodGet || res.StatusCode/100 != 2 {
		return res, err
	}
	var first int64
	fmt.Sscanf(res.Header.Get("Content-Range"), "bytes %d-", &first)
	res.Body = &flipped{ReadCloser: res.Body, f: f, off: first}
	return res, nil
}

// flipped is a body with one wrong byte.
type flipped struct {
	io.ReadCloser
	f   *flipper
	off int64 // in the object, of the next byte
}

func (b *flipped) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.f.mu.Lock()
	defer b.f.mu.Unlock()
	if i := b.f.at - b.off; b.f.times != 0 && i >= 0 && i < int64(n) {
		p[i] ^= 0x10
		b.f.times--
	}
	b.off += int64(n)
	return n, err
}

// newAudited returns a manager on a server whose answers pass a flipper.
func newAudited(t *testing.T) (*Manager, *s3.Client, *flipper, *s3test.Server) {
	t.Helper()
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	f := &flipper{}
	client := srv.Client(func(o *s3.Options) {
		o.Transport = func(next http.RoundTripper) http.RoundTripper { f.next = next; return f }
	})
	m := New(client, cache.NewBlocks(cache.NewPool(cache.NewBudget(256<<20))), Options{Bucket: "b", fetchSize: 1 << 20})
	t.Cleanup(m.Close)
	return m, client, f, srv
}

// put uploads an object with a checksum and returns its bytes and version.
func put(t *testing.T, c *s3.Client, key string, size int) ([]byte, Version) {
	t.Helper()
	body := make([]byte, size)
	for i := range body {
		body[i] = byte(i>>12) ^ byte(i*7)
	}
	out, err := c.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: key, Body: bytes.NewReader(body), Size: int64(size)})
	if err != nil {
		t.Fatal(err)
	}
	return body, Version{Key: key, ETag: out.ETag, Size: int64(size)}
}

// readToEnd opens a version and reads it in pieces of 128 KiB to its end or an error.
func readToEnd(t *testing.T, m *Manager, v Version) (got []byte, r *Reader, err error) {
	t.Helper()
	r, _, err = m.Open(t.Context(), v.Key, v)
	if err != nil {
		t.Fatal(err)
	}
	buf := make([]byte, cache.BlockSize)
	for {
		n, err := r.CopyAt(t.Context(), buf, int64(len(got)))
		got = append(got, buf[:n]...)
		switch {
		case errors.Is(err, io.EOF), err == nil && int64(len(got)) == v.Size:
			return got, r, nil
		case err != nil:
			return got, r, err
		}
	}
}

// TestFlippedBitInSmallObject flips a byte of an object that one GET brings. Readers get
// none of the bytes before all have come. One wrong answer is fetched again; if the
// second is wrong, too, all reads of the handle fail.
func TestFlippedBitInSmallObject(t *testing.T) {
	for _, size := range []int{1, 4096, cache.BlockSize, cache.BlockSize + 1, cache.SmallObject} {
		for _, at := range []int{0, size / 2, size - 1} {
			for _, times := range []int{0, 1, -1} {
				t.Run(fmt.Sprintf("%d bytes, byte %d, %d times", size, at, times), func(t *testing.T) {
					m, client, flip, srv := newAudited(t) // has too few samples to send a GET twice
					key := t.Name()
					body, v := put(t, client, key, size)
					before := m.Stats()
					srv.Reset()
					flip.set(int64(at), times)
					got, r, err := readToEnd(t, m, v)
					flip.set(0, 0)
					if times < 0 {
						if !errors.Is(err, ErrCorrupt) || len(got) > 0 {
							t.Errorf("read %d bytes, %v", len(got), err)
						}
						if _, err := r.CopyAt(t.Context(), make([]byte, 1), 0); !errors.Is(err, ErrCorrupt) {
							t.Errorf("a later read of the handle returned %v", err)
						}
					} else if err != nil || !bytes.Equal(got, body) {
						t.Errorf("read %d bytes, %v; they are right: %v", len(got), err, bytes.Equal(got, body))
					}
					r.Close()
					after := m.Stats()
					if n := after.Corrupt - before.Corrupt; n != int64(map[int]int{0: 0, 1: 1, -1: 2}[times]) {
						t.Errorf("%d wrong checksums were counted", n)
					}
					if n := srv.Requests()["GetObject"]; times == 0 && (n != 1 || srv.Total() != 1) || n > 2 {
						t.Errorf("the file cost %v", srv.Requests())
					}
					got, r, err = readToEnd(t, m, v)
					if err != nil || !bytes.Equal(got, body) {
						t.Errorf("after that a new open reads %d bytes, %v", len(got), err)
					}
					r.Close()
				})
			}
		}
	}
}

// TestFlippedBitTwiceInSmallReads reads the beginning of a small object of which two answers in a
// row are wrong. The second one is compared as a whole, too, before any byte is read.
func TestFlippedBitTwiceInSmallReads(t *testing.T) {
	const size = 2*cache.BlockSize + 100
	for _, at := range []int64{100, size - 1} {
		m, client, flip, _ := newAudited(t)
		_, v := put(t, client, "f", size)
		flip.set(at, 2)
		r, _, err := m.Open(t.Context(), v.Key, v)
		if err != nil {
			t.Fatal(err)
		}
		n, err := r.CopyWithin(t.Context(), make([]byte, 4096), 0, 4096)
		if !errors.Is(err, ErrCorrupt) || n != 0 {
			t.Errorf("byte %d is wrong: read %d bytes, %v", at, n, err)
		}
		r.Close()
	}
}

// TestFlippedBitInLargeObject flips a byte of an object that takes several GETs. The
// reader that reads to the end gets an error before it, and so do all reads after that;
// a new open reads the right bytes.
func TestFlippedBitInLargeObject(t *testing.T) {
	const size = 9<<20 + 5
	for _, at := range []int64{0, 100, openLarge - 1, openLarge, size / 2, 8 << 20, size - 1} {
		t.Run(fmt.Sprint("byte ", at), func(t *testing.T) {
			m, client, flip, _ := newAudited(t)
			body, v := put(t, client, "f", size)
			flip.set(at, 1)
			got, r, err := readToEnd(t, m, v)
			if !errors.Is(err, ErrCorrupt) {
				t.Errorf("read %d bytes, %v", len(got), err)
			}
			for _, off := range []int64{0, at, size - 1} {
				if _, err := r.CopyAt(t.Context(), make([]byte, 1), off); !errors.Is(err, ErrCorrupt) {
					t.Errorf("a later read at %d returned %v", off, err)
				}
			}
			r.Close()
			got, r, err = readToEnd(t, m, v)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("after that a new open reads %d bytes, %v", len(got), err)
			}
			r.Close()
			if s := m.Stats(); s.Corrupt != 1 || s.Verified != 1 {
				t.Errorf("counters: %+v", s)
			}
		})
	}
}

// TestUnverifiedIsCounted reads an object without a full checksum, and a part of an object
// with one.
func TestUnverifiedIsCounted(t *testing.T) {
	m, client, _, srv := newAudited(t)
	srv.PutObject("b", "plain", make([]byte, 100), nil)
	_, r, err := readToEnd(t, m, Version{Key: "plain", ETag: srv.ETag("b", "plain"), Size: 100})
	if err != nil {
		t.Fatal(err)
	}
	r.Close()
	if s := m.Stats(); s.Unverified != 1 || s.Verified != 0 {
		t.Errorf("without a checksum: %+v", s)
	}
	_, v := put(t, client, "f", 9<<20)
	r, _, err = m.Open(t.Context(), "f", v)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.CopyAt(t.Context(), make([]byte, 1), 0); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if s := m.Stats(); s.Unverified != 2 || s.Verified != 0 {
		t.Errorf("of a part: %+v", s)
	}
}

// TestServerWithoutChecksums reads large objects without a checksum. After a few of them the
// manager asks for no checksum until an object has one.
func TestServerWithoutChecksums(t *testing.T) {
	m, client, _, srv := newAudited(t)
	read := func(key string, size int64) (heads int) {
		srv.Reset()
		_, r, err := readToEnd(t, m, Version{Key: key, ETag: srv.ETag("b", key), Size: size})
		if err != nil {
			t.Fatal(err)
		}
		r.Close()
		return srv.Requests()["HeadObject"]
	}
	for i := range 5 {
		key := fmt.Sprint("plain", i)
		srv.PutObject("b", key, make([]byte, 9<<20), nil)
		if heads := read(key, 9<<20); heads != map[bool]int{true: 1}[i < silence] {
			t.Errorf("object %d cost %d HEADs", i, heads)
		}
	}
	put(t, client, "small", 100)
	read("small", 100)
	put(t, client, "large", 9<<20)
	if heads := read("large", 9<<20); heads != 1 || m.Stats().Verified != 2 {
		t.Errorf("%d HEADs for an object with a checksum; %+v", heads, m.Stats())
	}
}

// TestAuditOfCutFetches brings an object by fetches that end at random places, most of them
// within a block, so that the next fetch brings the bytes of that block again. The object
// is verified all the same, and a wrong byte is found.
func TestAuditOfCutFetches(t *testing.T) {
	const size = 20*cache.BlockSize + 77
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for i := range 50 {
		m, client, _, _ := newAudited(t)
		body, v := put(t, client, "f", size)
		if i%2 == 1 {
			body[random.IntN(size)] ^= 1
		}
		r := m.readerOf(v.Key, &s3.ObjectInfo{ETag: v.ETag, Size: size})
		w := watch(t.Context(), time.Hour)
		var err error
		for rounds := 0; err == nil; rounds++ {
			first, n := int64(random.IntN(21)), 1+random.IntN(21)
			if rounds > 100 { // what is missing, in order
				first = int64(rounds - 101)
			}
			if first == 21 {
				break
			}
			fill := r.obj.Claim(first, n, true)
			if fill == nil {
				continue
			}
			f := &fetch{r: r, fill: fill, demanded: true}
			for err == nil && fill.Rest() > 0 {
				rest := fill.Rest()
				cut := rest
				if rounds <= 100 && random.IntN(2) == 0 {
					cut = random.IntN(rest)
				}
				off := fill.Offset()
				_, err = f.copy(io.NopCloser(bytes.NewReader(body[off:off+int64(cut)])), rest, w)
				if errors.Is(err, io.ErrUnexpectedEOF) {
					err = nil
					if random.IntN(2) == 0 {
						break // otherwise the fetch sends a GET for the rest
					}
				}
			}
			f.finish(err)
		}
		w.end()
		corrupt := i%2 == 1
		if errors.Is(err, ErrCorrupt) != corrupt {
			t.Errorf("run %d: %v; a byte is wrong: %v", i, err, corrupt)
		}
		r.Close()
		if s := m.Stats(); s.Unverified != 0 || (s.Verified == 1) == corrupt {
			t.Errorf("run %d: %+v", i, s)
		}
	}
}

// TestAuditAfterRandomReads reads pages at random and then the whole object in order. The fine
// blocks of the random reads do not count, the whole blocks that are fetched later do.
func TestAuditAfterRandomReads(t *testing.T) {
	const size = 64<<20 + 99
	for _, wrong := range []bool{false, true} {
		m, client, flip, _ := newAudited(t)
		body, v := put(t, client, "f", size)
		r, _, err := m.Open(t.Context(), v.Key, v)
		if err != nil {
			t.Fatal(err)
		}
		page := make([]byte, cache.FineSize)
		for i := range int64(8 * maxJumps) { // at the start, in the middle and at the end of blocks
			at := 37*i%61<<20 + i%3*(cache.BlockSize-cache.FineSize)/2
			if n, err := r.CopyAt(t.Context(), page, at); n != len(page) || err != nil {
				t.Fatalf("read at %d: %d, %v", at, n, err)
			}
		}
		if r.fine == nil {
			t.Fatal("the random reads fetched no fine blocks")
		}
		if wrong {
			flip.set(size-50, -1)
		}
		var got []byte
		buf := make([]byte, cache.BlockSize)
		for err == nil && len(got) < size {
			var n int
			n, err = r.CopyAt(t.Context(), buf, int64(len(got)))
			got = append(got, buf[:n]...)
		}
		if errors.Is(err, io.EOF) {
			err = nil
		}
		r.Close()
		s := m.Stats()
		switch {
		case wrong && !errors.Is(err, ErrCorrupt):
			t.Errorf("a byte is wrong: read %d bytes, %v; %+v", len(got), err, s)
		case !wrong && (err != nil || !bytes.Equal(got, body) || s.Verified != 1):
			t.Errorf("read %d bytes, %v; %+v", len(got), err, s)
		}
	}
}
