package s3

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// plainServer answers every request with content as a range. Unlike net/http it has no
// pool of buffers, from which the race detector drops some at random, so that all
// measured allocations belong to the client.
func plainServer(t *testing.T, content []byte) (url string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	t.Cleanup(func() { l.Close() })
	head := fmt.Appendf(nil, "HTTP/1.1 206 Partial Content\r\nETag: \"e\"\r\nContent-Length: %d\r\nContent-Range: bytes 0-%d/%d\r\n\r\n",
		len(content), len(content)-1, len(content))
	serve := func(conn net.Conn) {
		defer conn.Close()
		requests := bufio.NewReader(conn)
		for {
			if _, err := http.ReadRequest(requests); err != nil {
				return
			}
			for _, p := range [][]byte{head, content} {
				if _, err := conn.Write(p); err != nil {
					return
				}
			}
		}
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go serve(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

// A ranged GET of 8 MiB into the caller's buffer allocates much less than 8 MiB.
func TestGetIntoAllocates(t *testing.T) {
	content := testBytes(8 << 20)
	c, err := New(testOptions(plainServer(t, content)))
	noError(t, err)
	defer c.Close()
	p := make([]byte, 8<<20)
	get := func() {
		if _, n, err := c.GetInto(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, 8<<20-1)}, p); err != nil || n != len(p) {
			t.Fatal(n, err)
		}
	}
	get()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	const rounds = 10
	for range rounds {
		get()
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / rounds; n > 32<<10 {
		t.Errorf("%d bytes allocated per GET", n)
	}
	if !bytes.Equal(p, content) {
		t.Error("bytes differ")
	}
}

// A large body raises the mark of a connection. The mark must not delay a smaller body
// or the end of a body.
func TestBodiesOfAllSizesOnOneConnection(t *testing.T) {
	content := testBytes(maxLowWater + 1)
	var conns atomic.Int32
	srv := httptest.NewUnstartedServer(objectServer(content))
	srv.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			conns.Add(1)
		}
	}
	srv.Start()
	defer srv.Close()
	c, err := New(testOptions(srv.URL))
	noError(t, err)
	defer c.Close()
	p := make([]byte, len(content))
	read := func(size int) {
		t.Helper()
		_, n, err := c.GetInto(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, int64(size)-1)}, p)
		if err != nil || n != size || !bytes.Equal(p[:n], content[:n]) {
			t.Fatalf("%d bytes: read %d, %v", size, n, err)
		}
	}
	for _, size := range []int{1, connBuffer, connBuffer + 1, 1<<20 + 1, maxLowWater} {
		read(len(content)) // raises the mark
		read(size)
	}
	if conns.Load() != 1 {
		t.Errorf("there were %d connections", conns.Load())
	}
}

func TestLowWater(t *testing.T) {
	var l lowWater
	for i, tt := range []struct {
		n    int
		d    time.Duration
		mark int // after it
	}{
		{connBuffer - 1, 0, 0}, // too few bytes for a conclusion
		{connBuffer, 0, 2 * connBuffer},
		{connBuffer, 0, 2 * connBuffer}, // less than the mark: as much as there was to come
		{2 * connBuffer, quickRead, 4 * connBuffer},
		{4 * connBuffer, slowRead, 4 * connBuffer},
		{4 * connBuffer, 2 * slowRead, 2 * connBuffer},
		{2 * connBuffer, time.Hour, connBuffer},
		{8 << 20, 0, 2 * connBuffer},
	} {
		if l.took(tt.n, tt.d); l.mark != tt.mark {
			t.Fatalf("step %d: the mark is %d, want %d", i, l.mark, tt.mark)
		}
	}
	for range 20 {
		l.took(1<<30, 0)
	}
	if l.mark != maxLowWater || l.want(8<<20) != maxLowWater || l.want(1<<20) != 1<<20 || l.want(connBuffer) != 1 {
		t.Errorf("the mark is %d", l.mark)
	}
	l.mark = connBuffer
	if l.want(8<<20) != 1 {
		t.Error("a slow line has a mark")
	}
}
