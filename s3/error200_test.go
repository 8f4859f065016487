package s3

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
	"testing"
)

// Errors inside a response with status 200.
func TestErrorIn200(t *testing.T) {
	id := UploadID{Bucket: "bucket", Key: "k", ID: "u"}
	calls := map[string]func(context.Context, *Client) error{
		"copy": func(ctx context.Context, c *Client) error {
			return second(c.Copy(ctx, &CopyInput{SrcBucket: "bucket", SrcKey: "a", Bucket: "bucket", Key: "b", SrcSize: 1}))
		},
		"copy part": func(ctx context.Context, c *Client) error {
			return second(c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "bucket", SrcKey: "a"}))
		},
		"complete": func(ctx context.Context, c *Client) error {
			return second(c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{{Number: 1, ETag: "x"}}}))
		},
		"delete": func(ctx context.Context, c *Client) error {
			return second(c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: "bucket", Objects: []ObjectID{{Key: "k"}}}))
		},
	}
	for name, call := range calls {
		for _, tt := range []struct {
			body     string
			want     error
			attempts int32
		}{
			{errorBody("AccessDenied"), ErrForbidden, 1},
			{errorBody("InternalError"), ErrTransient, 3},
			{errorBody("SlowDown"), ErrThrottled, 3},
			{"<html>welcome</html>", nil, 1},
			{"", nil, 1},
		} {
			var n atomic.Int32
			c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
				n.Add(1)
				io.WriteString(w, "   \n") // sent to keep the connection while it works
				io.WriteString(w, tt.body)
			}, func(o *Options) { o.MaxAttempts = 3 })
			err := call(t.Context(), c)
			e := wantIs(t, err)
			if tt.want != nil {
				wantIs(t, err, tt.want)
			}
			if n.Load() != tt.attempts || e.Status != 200 {
				t.Errorf("%s, %q: status %d after %d attempts: %v", name, tt.body, e.Status, n.Load(), err)
			}
		}
	}
}
