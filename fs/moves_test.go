package fs

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// meter counts the bytes of bodies, each way.
type meter struct {
	next     http.RoundTripper
	up, down atomic.Int64
}

// counted adds what is read of a body.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func (m *meter) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		r = r.Clone(r.Context())
		r.Body = counted{r.Body, &m.up}
	}
	res, err := m.next.RoundTrip(r)
	if err == nil {
		res.Body = counted{res.Body, &m.down}
	}
	return res, err
}

// TestSmallChangeOfLargeObject checks that appending 1 MiB to 1 GiB, or changing 4 KiB
// in it, sends at most the data of two parts. A change at the end of the object reads
// no more than that. A change elsewhere reads the part through the readahead window,
// which extends further.
func TestSmallChangeOfLargeObject(t *testing.T) {
	const gib, mib = 1 << 30, 1 << 20
	for _, c := range []struct {
		name  string
		off   int64
		n     int
		reads bool // through the window
	}{{"append", gib, mib, false}, {"middle", gib / 2, 4096, true}, {"start", 0, 4096, true}, {"end", gib - 4096, 4096, false}} {
		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
		srv.PutRepeated(testBucket, "k", []byte(strings.Repeat("0123456789abcdef", 4096)), gib, nil)
		m := &meter{}
		client := srv.Client(func(o *s3.Options) {
			o.Transport = func(next http.RoundTripper) http.RoundTripper { m.next = next; return m }
		})
		k := mountOn(t, srv, client, func(o *Options) { o.Posix = "off" })
		fh := k.openFile("k", syscall.O_WRONLY)
		k.write(fh, c.off, strings.Repeat("x", c.n))
		k.close(fh)
		const most = 2 * defaultPartSize
		if up, down := m.up.Load(), m.down.Load(); up > most || !c.reads && down > most {
			t.Errorf("%s: %d bytes were sent and %d received, at most %d are allowed", c.name, up, down, most)
		}
		k.unmount()
	}
}
