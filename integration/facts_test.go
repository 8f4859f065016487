package integration

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestFacts asks a server, by another client than package s3, for behaviour that
// s3mount compensates. The table of servers has what fails.
func TestFacts(t *testing.T) {
	t.Parallel()
	run(t, "quoted ETag in PUT", func(t *testing.T, w *harness.World) {
		ctx, bucket := w.Context(t), w.Bucket(t)
		key := "k"
		must(t, bucket.Put(ctx, key, []byte("old"), nil))
		info, err := bucket.Head(ctx, key)
		must(t, err)
		_, err = bucket.Client().PutObject(ctx, &s3.PutObjectInput{
			Bucket: &bucket.Bucket, Key: &key, Body: strings.NewReader("new"), IfMatch: info.ETag,
		})
		must(t, err)
	})
	t.Run("PUT beside an unread GET", func(t *testing.T) {
		harness.Run(t, harness.Config{Timeout: unreadTime}, func(t *testing.T, w *harness.World) {
			ctx, bucket := w.Context(t), w.Bucket(t)
			key := "k"
			// More than the sockets of a connection can hold.
			must(t, bucket.Put(ctx, key, payload(1, 32<<20), nil))
			got, err := bucket.Client().GetObject(ctx, &s3.GetObjectInput{Bucket: &bucket.Bucket, Key: &key})
			must(t, err)
			defer got.Body.Close()
			put := make(chan error, 1)
			go func() { put <- bucket.Put(ctx, key, []byte("new"), nil) }()
			select {
			case err := <-put:
				must(t, err)
			case <-ctx.Done():
				t.Error("the PUT waits for the GET")
			}
			_, _ = io.Copy(io.Discard, got.Body) // the server may have cut it off
		})
	})
}

// unreadTime is shorter than the 30 s after which MinIO closes a connection.
const unreadTime = 20 * time.Second
