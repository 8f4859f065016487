package s3test_test

import (
	"bytes"
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestClientInBubble holds that client and server live in a synctest bubble:
// hours of retries take no time, and nothing is left behind.
func TestClientInBubble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := s3test.NewFaults(s3test.Rule{Times: 3, Fault: s3test.SlowDown(10 * time.Minute)})
		srv := s3test.NewServer(t, s3test.Options{InMemory: true, Buckets: []string{"b"}, Faults: f})
		c := srv.Client(func(o *s3.Options) { o.Deadline = time.Hour })
		defer c.Close()
		start := time.Now()
		_, err := c.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader([]byte("x")), Size: 1})
		if err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took < 30*time.Minute || took > time.Hour {
			t.Errorf("three times Retry-After: 10 minutes took %v", took)
		}
		if body, _, _ := srv.Object("b", "k"); string(body) != "x" {
			t.Errorf("object = %q", body)
		}
	})
}

// TestClientSkew holds that a client whose clock is wrong corrects it.
func TestClientSkew(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{
		AccessKey: "key", SecretKey: "secret", Buckets: []string{"b"},
		Now: func() time.Time { return time.Now().Add(-3 * time.Hour) },
	})
	srv.PutObject("b", "k", []byte("x"), nil)
	c := srv.Client()
	defer c.Close()
	for range 3 {
		if _, err := c.Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	if n := srv.Requests()["HeadObject"]; n != 4 {
		t.Errorf("%d requests for 3 calls, want one more to learn the time", n)
	}
}

// TestClientPresignExpires holds that a presigned URL ends.
func TestClientPresignExpires(t *testing.T) {
	now := time.Now()
	srv := s3test.NewServer(t, s3test.Options{
		AccessKey: "key", SecretKey: "secret", Buckets: []string{"b"}, Now: func() time.Time { return now },
	})
	srv.PutObject("b", "k", []byte("x"), nil)
	c := srv.Client()
	defer c.Close()
	p, err := c.PresignGet(t.Context(), &s3.GetInput{Bucket: "b", Key: "k"}, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	transport := srv.Transport()
	defer transport.CloseIdleConnections()
	for _, want := range []int{http.StatusOK, http.StatusForbidden} {
		req, err := http.NewRequestWithContext(t.Context(), p.Method, p.URL, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		res, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := res.Body.Close(); err != nil {
			t.Error(err)
		}
		if res.StatusCode != want {
			t.Errorf("status %d at %v, want %d", res.StatusCode, now, want)
		}
		now = now.Add(2 * time.Minute)
	}
}

// TestClientVirtualHost holds that the bucket may be in the host's name.
func TestClientVirtualHost(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{
		AccessKey: "key", SecretKey: "secret", Buckets: []string{"b"}, Domain: "s3.example.test",
	})
	transport := srv.Transport()
	defer transport.CloseIdleConnections()
	c := srv.Client(func(o *s3.Options) {
		o.Endpoint, o.Addressing = "http://s3.example.test", s3.AddressingVirtualHost
		o.Transport = func(http.RoundTripper) http.RoundTripper { return transport }
	})
	defer c.Close()
	if _, err := c.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: "dir/k+ü", Body: bytes.NewReader([]byte("x")), Size: 1}); err != nil {
		t.Fatal(err)
	}
	if body, _, _ := srv.Object("b", "dir/k+ü"); string(body) != "x" {
		t.Errorf("object = %q, keys %q", body, srv.Keys("b"))
	}
}

// TestClientLargeCopy copies more than one CopyObject may: by parts, with all properties.
func TestClientLargeCopy(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	const size = 5<<30 + 12_345
	srv.PutRepeated("b", "large", []byte("0123456789"), size, map[string]string{"mode": "33188"})
	c := srv.Client()
	defer c.Close()
	for _, known := range []int64{size, 0} {
		out, err := c.Copy(t.Context(), &s3.CopyInput{SrcBucket: "b", SrcKey: "large", SrcSize: known, Bucket: "b", Key: "copy"})
		if err != nil {
			t.Fatal(err)
		}
		info, err := c.Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: "copy"})
		if err != nil || info.Size != size || info.ETag != out.ETag || info.Metadata["mode"] != "33188" {
			t.Errorf("copy = %+v, %v", info, err)
		}
		p := make([]byte, 20)
		_, n, err := c.GetInto(t.Context(), &s3.GetInput{Bucket: "b", Key: "copy", Range: s3.From(size - 7)}, p)
		if err != nil || string(p[:n]) != "8901234" {
			t.Errorf("end of the copy = %q, %v", p[:n], err)
		}
		srv.RemoveObject("b", "copy")
	}
	if n := srv.Uploads("b"); n != 0 {
		t.Errorf("%d uploads left", n)
	}
}

// TestClientDenied holds that a refusal is never taken for absence.
func TestClientDenied(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{
		Buckets: []string{"b"}, Deny: func(_, _, key string) bool { return key == "secret" },
	})
	srv.PutObject("b", "secret", []byte("x"), nil)
	srv.PutObject("b", "open", []byte("x"), nil)
	c := srv.Client()
	defer c.Close()
	_, headErr := c.Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: "secret"})
	_, getErr := c.Get(t.Context(), &s3.GetInput{Bucket: "b", Key: "secret"})
	results, err := c.DeleteMulti(t.Context(), &s3.DeleteMultiInput{Bucket: "b", Objects: []s3.ObjectID{{Key: "secret"}, {Key: "open"}}})
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"head": headErr, "get": getErr, "delete": results[0].Err} {
		if !errors.Is(err, s3.ErrForbidden) || errors.Is(err, s3.ErrNotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if results[1].Err != nil || len(srv.Keys("b")) != 1 {
		t.Errorf("open: %v, keys %q", results[1].Err, srv.Keys("b"))
	}
}

// TestMillionKeys holds that a bucket of a million keys is seeded and listed quickly.
func TestMillionKeys(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	srv.SeedN("b", "dir%[1]d/key", 1_000_000, []byte("x"))
	c := srv.Client()
	defer c.Close()
	rows := 0
	for entry, err := range c.LsAll(t.Context(), &s3.LsInput{Bucket: "b", Delimiter: "/", StartAfter: "dir9999"}) {
		if err != nil {
			t.Fatal(err)
		}
		if !entry.IsPrefix {
			t.Fatalf("entry = %+v", entry)
		}
		rows++
	}
	// After "dir9999" come dir9999/ itself, dir99990/ to dir99999/ and dir999900/ to dir999999/.
	if rows != 1+10+100 {
		t.Errorf("%d rows", rows)
	}
	if n := srv.Requests()["ListObjectsV2"]; n != 1 {
		t.Errorf("%d requests", n)
	}
}

// BenchmarkServer is what the server itself costs: 8 MiB through the client.
func BenchmarkServer(b *testing.B) {
	srv, err := s3test.Start(s3test.Options{Buckets: []string{"b"}})
	if err != nil {
		b.Fatal(err)
	}
	defer srv.Close()
	c := srv.Client()
	defer c.Close()
	body := bytes.Repeat([]byte("0123456789abcdef"), 8<<20/16)
	b.Run("put", func(b *testing.B) {
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			in := &s3.PutInput{Bucket: "b", Key: "k", Body: bytes.NewReader(body), Size: int64(len(body))}
			if _, err := c.Put(b.Context(), in); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("get", func(b *testing.B) {
		p := make([]byte, len(body))
		b.SetBytes(int64(len(body)))
		for b.Loop() {
			if _, _, err := c.GetInto(b.Context(), &s3.GetInput{Bucket: "b", Key: "k", Range: s3.From(0)}, p); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("head", func(b *testing.B) {
		for b.Loop() {
			if _, err := c.Head(b.Context(), &s3.HeadInput{Bucket: "b", Key: "k"}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
