package s3bench

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestSameWork holds the libraries to sending the same with a body: its
// CRC32C, in a header or a trailer, and no SHA-256.
func TestSameWork(t *testing.T) {
	var got http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			t.Error(err)
		}
		got = r.Header
		w.Header().Set("ETag", `"x"`)
	}))
	defer server.Close()
	for _, c := range clients(t, server.URL, "bench") {
		if err := c.put(t.Context(), "k", make([]byte, large)); err != nil {
			t.Fatal(err)
		}
		if got.Get("X-Amz-Checksum-Crc32c") == "" && !strings.EqualFold(got.Get("X-Amz-Trailer"), "X-Amz-Checksum-Crc32c") {
			t.Errorf("%s sends no CRC32C: %v", c.name, got)
		}
		if sum := got.Get("X-Amz-Content-Sha256"); !strings.Contains(sum, "UNSIGNED-PAYLOAD") {
			t.Errorf("%s sends the SHA-256 %s", c.name, sum)
		}
	}
}
