package s3

import (
	"errors"
	"io"
	"net/http"
	"runtime"
	"sync/atomic"
	"testing"
)

// streamServer takes uploads and forgets their bytes.
func streamServer(got *atomic.Int64, fail string, aborted *atomic.Bool) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case q.Has("uploads"):
			io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodDelete:
			aborted.Store(true)
		case r.Method == http.MethodPost:
			io.Copy(io.Discard, r.Body)
			io.WriteString(w, "<CompleteMultipartUploadResult><ETag>&quot;done&quot;</ETag></CompleteMultipartUploadResult>")
		default:
			if fail != "" && q.Get("partNumber") == fail {
				writeError(w, 403, "AccessDenied")
				return
			}
			n, _ := io.Copy(io.Discard, r.Body)
			got.Add(n)
			w.Header().Set("ETag", `"p"`)
		}
	}
}

// zeros yields n bytes.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) { return len(p), nil }

func TestPutStream(t *testing.T) {
	for _, size := range []int64{0, 1, MinPartSize - 1, MinPartSize, MinPartSize + 1, 3 * MinPartSize, 7*MinPartSize + 3} {
		var got atomic.Int64
		var aborted atomic.Bool
		c := newTestClient(t, streamServer(&got, "", &aborted), func(o *Options) { o.Checksums = ChecksumOff })
		_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: zeros(size), PartSize: MinPartSize, Parallel: 2})
		noError(t, err)
		if got.Load() != size || aborted.Load() {
			t.Errorf("%d of %d bytes", got.Load(), size)
		}
	}
}

func TestPutStreamFails(t *testing.T) {
	boom := errors.New("boom")
	for _, tt := range []struct {
		name string
		body io.Reader
		fail string
		want error
	}{
		{"server", zeros(100 << 20), "3", ErrForbidden},
		{"body", io.MultiReader(zeros(3*MinPartSize), errReader{boom}), "", boom},
	} {
		var got atomic.Int64
		var aborted atomic.Bool
		c := newTestClient(t, streamServer(&got, tt.fail, &aborted), func(o *Options) { o.Checksums = ChecksumOff })
		_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: tt.body, PartSize: MinPartSize})
		wantIs(t, err, tt.want)
		if !aborted.Load() {
			t.Errorf("%s: the upload was left behind", tt.name)
		}
	}
	c := newTestClient(t, nil)
	_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: errReader{boom}})
	wantIs(t, err, boom)
}

// A stream of 5 GiB stays within the memory that PutStream documents.
func TestPutStreamMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("moves 5 GiB")
	}
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		switch {
		case r.URL.Query().Has("uploads"):
			return answer(200, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"), nil
		case r.Method == http.MethodPost:
			return answer(200, "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>"), nil
		}
		return answer(200, "", "ETag", "p"), nil
	}, func(o *Options) { o.Checksums = ChecksumOff })
	var before runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	_, err := c.PutStream(t.Context(), &PutStreamInput{Bucket: "bucket", Key: "k", Body: zeros(5 << 30)})
	noError(t, err)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	const bound = 5*streamPartSize + 16<<20 // the parts, and what 640 requests leave to the collector
	if n := after.TotalAlloc - before.TotalAlloc; n > bound {
		t.Errorf("%d MiB were allocated, of which at most %d MiB may live", n>>20, bound>>20)
	}
}
