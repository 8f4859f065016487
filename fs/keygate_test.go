package fs

import (
	"context"
	"io"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// gated makes a gate before a server in the memory of a synctest bubble.
func gated(t *testing.T) (*s3test.Server, *keyGate) {
	t.Helper()
	srv := s3test.NewServer(t, s3test.Options{InMemory: true, KeyLocks: 30 * time.Second})
	srv.CreateBucket(testBucket)
	client := srv.Client(func(o *s3.Options) { o.MaxAttempts = 1 })
	t.Cleanup(client.Close)
	return srv, newKeyGate(client)
}

func putThrough(g *keyGate, key, body string) error {
	_, err := g.Put(context.Background(), &s3.PutInput{Bucket: testBucket, Key: key, Body: strings.NewReader(body), Size: int64(len(body))})
	return err
}

func getThrough(t *testing.T, g *keyGate, key string) io.ReadCloser {
	t.Helper()
	out, err := g.Get(t.Context(), &s3.GetInput{Bucket: testBucket, Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return out.Body
}

func TestWriteWaitsForOpenGets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, g := gated(t)
		srv.PutObject(testBucket, "k", []byte(strings.Repeat("o", 1<<20)), nil)
		body := getThrough(t, g, "k")
		done := make(chan error, 1)
		go func() { done <- putThrough(g, "k", "new") }()
		synctest.Wait()
		if srv.Requests()["PutObject"] != 0 {
			t.Error("the PUT was sent while a GET of the key was open")
		}
		if err := putThrough(g, "other", "x"); err != nil {
			t.Errorf("a write of another key: %v", err)
		}
		if got, err := io.ReadAll(body); len(got) != 1<<20 || err != nil {
			t.Errorf("read %d bytes, %v", len(got), err)
		}
		if err := <-done; err != nil { // reading to the end is enough
			t.Error(err)
		}
		body.Close()
		if len(g.keys) != 0 {
			t.Errorf("%d keys are left", len(g.keys))
		}
	})
}

func TestWriteEndsGetsThatNobodyReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, g := gated(t)
		srv.PutObject(testBucket, "k", []byte(strings.Repeat("o", 1<<20)), nil)
		body := getThrough(t, g, "k")
		defer body.Close()
		begin := time.Now()
		if err := putThrough(g, "k", "new"); err != nil {
			t.Error(err)
		}
		if took := time.Since(begin); took > 2*gatePatience {
			t.Errorf("the write took %v", took)
		}
		if n, err := io.Copy(io.Discard, body); err == nil || n == 1<<20 {
			t.Errorf("the GET that was ended has %d bytes, %v", n, err)
		}
	})
}

func TestGetWaitsForTheWrite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		srv, g := gated(t)
		srv.PutObject(testBucket, "k", []byte("old"), nil)
		r, w := io.Pipe()
		done := make(chan error, 1)
		go func() {
			_, err := g.Put(t.Context(), &s3.PutInput{Bucket: testBucket, Key: "k", Body: r, Size: 3, IfMatch: srv.ETag(testBucket, "k")})
			done <- err
		}()
		synctest.Wait()
		got := make(chan string, 1)
		go func() {
			out, err := g.Get(context.Background(), &s3.GetInput{Bucket: testBucket, Key: "k"})
			if err != nil {
				got <- err.Error()
				return
			}
			defer out.Body.Close()
			b, _ := io.ReadAll(out.Body)
			got <- string(b)
		}()
		synctest.Wait()
		if srv.Requests()["GetObject"] != 0 {
			t.Error("a GET was sent while a PUT of the key was open")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := g.Get(ctx, &s3.GetInput{Bucket: testBucket, Key: "k"}); err == nil {
			t.Error("a GET whose caller has gone still waits")
		}
		go func() { _, _ = w.Write([]byte("new")); w.Close() }()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if b := <-got; b != "new" {
			t.Errorf("read %q", b)
		}
	})
}

// A change of a few bytes in the middle of a file that nobody has read keeps
// the others. On a server that holds locks it must not wait for itself.
func TestInPlaceChangeOnAServerWithKeyLocks(t *testing.T) {
	const size = 6 << 20
	srv := s3test.NewServer(t, s3test.Options{KeyLocks: 5 * time.Second})
	srv.CreateBucket(testBucket)
	old := strings.Repeat("0123456789abcdef", size/16)
	srv.PutObject(testBucket, "f", []byte(old), nil)
	client := srv.Client(func(o *s3.Options) { o.MaxAttempts = 1 })
	t.Cleanup(client.Close)
	// Once the client knows the server's checksums it reads a body while it sends it.
	for range 3 {
		if err := putThrough(newKeyGate(client), "large", old[:2<<20]); err != nil {
			t.Fatal(err)
		}
	}
	k := mountOn(t, srv, client)
	for i, off := range []int64{4 << 20, 100} {
		fh := k.openFile("f", syscall.O_RDWR)
		k.write(fh, off, "new")
		k.close(fh)
		old = old[:off] + "new" + old[off+3:]
		if body, _, _ := srv.Object(testBucket, "f"); string(body) != old {
			t.Errorf("change %d: the object has %d other bytes", i, len(body))
		}
	}
}
