package s3

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestListUploadsOfSilentEncoder lists uploads on servers that do not say whether they encode
// keys: one encodes them if it is asked to, as Ceph RGW 16 does, and one never does.
func TestListUploadsOfSilentEncoder(t *testing.T) {
	const key = "100% of a+b/ü"
	for name, tc := range map[string]struct {
		encoded  string
		requests int
	}{
		"encodes": {"100%25%20of%20a%2Bb%2F%C3%BC", 2},
		"raw":     {key, 2},
	} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
				requests++
				shown := key
				if r.URL.Query().Get("encoding-type") == "url" {
					shown = tc.encoded
				}
				body := fmt.Sprintf("<ListMultipartUploadsResult><Upload><Key>%s</Key><UploadId>1</UploadId></Upload><IsTruncated>false</IsTruncated></ListMultipartUploadsResult>", shown)
				return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, ContentLength: int64(len(body)),
					Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
			}, func(*Options) {})
			page, err := c.ListUploads(t.Context(), &ListUploadsInput{Bucket: "bucket"})
			if err != nil || len(page.Uploads) != 1 || page.Uploads[0].Key != key {
				t.Errorf("got %+v, %v", page, err)
			}
			if requests != tc.requests {
				t.Errorf("%d requests, want %d", requests, tc.requests)
			}
		})
	}
}
