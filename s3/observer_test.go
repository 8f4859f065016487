package s3

import (
	"bytes"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func TestObserverAndLog(t *testing.T) {
	var n atomic.Int32
	var mu sync.Mutex
	var seen []Attempt
	var log bytes.Buffer
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if n.Add(1) == 1 {
			writeError(w, 500, "InternalError")
			return
		}
		w.Header().Set("Content-Length", "3")
		w.Header().Set("X-Amz-Server-Side-Encryption-Customer-Algorithm", "AES256")
		io.WriteString(w, "abc")
	}, func(o *Options) {
		o.Observer = func(a Attempt) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, a)
		}
		o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		o.Credentials = StaticCredentials("AKIDEXAMPLE", "topsecret", "sessiontoken")
	})
	_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("12345"), Size: 5,
		ObjectOptions: ObjectOptions{SSE: ServerSideEncryption{Customer: &CustomerKey{}}}})
	noError(t, err)
	out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if len(seen) != 2 {
		t.Errorf("a GET was reported before its body was read: %+v", seen)
	}
	io.Copy(io.Discard, out.Body)
	out.Body.Close()
	if len(seen) != 3 {
		t.Fatalf("saw %+v", seen)
	}
	for i, want := range []Attempt{
		{Op: "PutObject", Status: 500, BytesSent: 5}, {Op: "PutObject", Status: 200, Retry: 1, BytesSent: 5, BytesReceived: 3},
		{Op: "GetObject", Status: 200, BytesReceived: 3},
	} {
		a := seen[i]
		if a.Op != want.Op || a.Status != want.Status || a.Retry != want.Retry || a.BytesSent != want.BytesSent ||
			i > 0 && a.BytesReceived != want.BytesReceived || (a.Err != nil) != (i == 0) || a.Bucket != "bucket" || a.Duration < a.Header || a.Header <= 0 {
			t.Errorf("attempt %d is %+v", i, a)
		}
	}
	if s := log.String(); strings.Count(s, "s3 attempt") != 3 || strings.Count(s, "request_id=") != 3 {
		t.Errorf("log is %s", s)
	}
	for _, secret := range []string{"topsecret", "sessiontoken", "Signature", "AAAAAAAAAAAA"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("log holds %q", secret)
		}
	}
}
