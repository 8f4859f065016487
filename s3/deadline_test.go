package s3

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestDeadlineOfStoppedServer sends calls to a server that takes connections and never
// answers. Each call must end by its deadline, also one that waits for a connection.
func TestDeadlineOfStoppedServer(t *testing.T) {
	calls := map[string]func(ctx context.Context, c *Client) error{
		"head": func(ctx context.Context, c *Client) error {
			_, err := c.Head(ctx, &HeadInput{Bucket: "bucket", Key: "k"})
			return err
		},
		"put": func(ctx context.Context, c *Client) error {
			_, err := c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("text"), Size: 4})
			return err
		},
		"copy": func(ctx context.Context, c *Client) error {
			_, err := c.Copy(ctx, &CopyInput{SrcBucket: "bucket", SrcKey: "k", SrcSize: 4 << 10, Bucket: "bucket", Key: "l"})
			return err
		},
		"complete": func(ctx context.Context, c *Client) error {
			_, err := c.CompleteUpload(ctx, &CompleteUploadInput{Upload: UploadID{Bucket: "bucket", Key: "k", ID: "1"},
				Parts: []Part{{Number: 1, ETag: `"e"`, Size: 8 << 10}}})
			return err
		},
	}
	for name, call := range calls {
		for _, deadline := range []time.Duration{time.Second, 10 * time.Second, time.Minute} {
			t.Run(name+" "+deadline.String(), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
						<-r.Context().Done()
						return nil, context.Cause(r.Context())
					}, func(o *Options) {
						o.Connections, o.Deadline = 2, deadline
						o.ConnectTimeout, o.ResponseTimeout, o.StallTimeout = 10*time.Second, time.Minute, 20*time.Second
					})
					var wg sync.WaitGroup
					start := time.Now()
					for range 20 {
						wg.Go(func() {
							wantIs(t, call(t.Context(), c), ErrTransient)
							if took := time.Since(start); took > max(deadline, minPatience)+lastAttempt {
								t.Errorf("a call took %v", took)
							}
						})
					}
					wg.Wait()
				})
			})
		}
	}
}
