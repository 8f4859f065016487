package s3

import (
	"errors"
	"fmt"
	"net/http"
	"sync/atomic"
	"testing"
)

// TestLostUpload: the server dies while it completes an upload, and tells the
// repetition that it is done. The object shows whether that is true.
func TestLostUpload(t *testing.T) {
	const etag = `"0123456789abcdef0123456789abcdef-1"`
	for name, tt := range map[string]struct {
		object string // its ETag; "": there is none
		size   string // its size; the upload has 5 bytes
		lost   bool   // the answer to the first attempt
		heads  int32
		want   error
	}{
		"done at once":                     {object: etag, size: "5", heads: 0},
		"done":                             {object: etag, size: "5", lost: true, heads: 1},
		"nothing there":                    {lost: true, heads: 1, want: ErrLostUpload},
		"the old one there":                {object: `"ffffffffffffffffffffffffffffffff"`, size: "4", lost: true, heads: 1, want: ErrLostUpload},
		"as long as it":                    {object: `"ffffffffffffffffffffffffffffffff-1"`, size: "5", lost: true, heads: 1, want: ErrLostUpload},
		"with an ETag of the server's own": {object: `"ffffffffffffffffffffffffffffffff"`, size: "5", lost: true, heads: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var completes, heads atomic.Int32
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case r.Method == http.MethodHead && tt.object == "":
					heads.Add(1)
					w.WriteHeader(http.StatusNotFound)
				case r.Method == http.MethodHead:
					heads.Add(1)
					w.Header().Set("ETag", tt.object)
					w.Header().Set("Content-Length", tt.size)
				case completes.Add(1) == 1 && tt.lost:
					panic(http.ErrAbortHandler) // the connection ends
				default:
					fmt.Fprintf(w, `<CompleteMultipartUploadResult><ETag>%s</ETag></CompleteMultipartUploadResult>`, etag)
				}
			})
			out, err := c.CompleteUpload(t.Context(), &CompleteUploadInput{
				Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"}, Parts: []Part{{Number: 1, ETag: "x", Size: 5}}})
			switch {
			case tt.want == nil && (err != nil || out.ETag != etag):
				t.Errorf("%+v, %v", out, err)
			case tt.want != nil && (!errors.Is(err, tt.want) || !errors.Is(err, ErrTransient)):
				t.Errorf("error %v, want %v", err, tt.want)
			}
			if n := heads.Load(); n != tt.heads {
				t.Errorf("%d HEADs, want %d", n, tt.heads)
			}
		})
	}
}

// A completion that met another writer is not repeated: the upload is used up,
// and the answer would be that there is no such upload.
func TestConflictEndsACompletion(t *testing.T) {
	n := 0
	c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return answer(409, errorBody("ConditionalRequestConflict")), nil
		}
		return answer(404, errorBody("NoSuchUpload")), nil
	})
	_, err := c.CompleteUpload(t.Context(), &CompleteUploadInput{Upload: UploadID{Bucket: "bucket", Key: "k", ID: "u"},
		Parts: []Part{{Number: 1, ETag: "x"}}, IfNoneMatch: "*"})
	wantIs(t, err, ErrConflict)
	if n != 1 {
		t.Errorf("%d requests", n)
	}
}
