package s3_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestCustomerKeyOfMinIO shows that a client accepts copies and uploads of a server that does
// not confirm their keys, once it has confirmed the key of an object. MinIO is such a server.
func TestCustomerKeyOfMinIO(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}, TLS: true})
	client := func(prefix string) *s3.Client {
		return srv.Client(func(o *s3.Options) {
			o.Objects.SSE.Customer, o.ProbePrefix, o.Server = &s3.CustomerKey{Key: [32]byte{1}}, prefix, "aws"
			o.Transport = func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(r *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(r)
					if err == nil && (r.URL.RawQuery == "uploads=" || r.Header.Get("X-Amz-Copy-Source") != "") {
						resp.Header.Del("X-Amz-Server-Side-Encryption-Customer-Algorithm")
						resp.Header.Del("X-Amz-Server-Side-Encryption-Customer-Key-Md5")
					}
					return resp, err
				})
			}
		})
	}
	stream := func(c *s3.Client) error {
		body := strings.NewReader(strings.Repeat("x", s3.MinPartSize+1))
		_, err := c.PutStream(t.Context(), &s3.PutStreamInput{Bucket: "b", Key: "k", Body: body, PartSize: s3.MinPartSize})
		return err
	}
	if err := stream(client("")); err == nil || !strings.Contains(err.Error(), "ignores the customer's key") {
		t.Errorf("no answer has confirmed the key, and there is no place for a probe: %v", err)
	}
	c := client("probes/")
	if err := stream(c); err != nil {
		t.Error(err)
	}
	if keys := srv.Keys("b"); len(keys) != 1 || srv.Uploads("b") != 0 {
		t.Errorf("the bucket has %q and %d uploads", keys, srv.Uploads("b"))
	}
	srv.Reset()
	if _, err := c.Copy(t.Context(), &s3.CopyInput{SrcBucket: "b", SrcKey: "k", Bucket: "b", Key: "copy"}); err != nil {
		t.Error(err)
	}
	if n := srv.Total(); n != 1 {
		t.Errorf("the copy makes %d requests", n)
	}
}
