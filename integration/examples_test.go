package integration

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestExamples runs the examples of package s3 on versitygw. Package s3's own
// tests run them on s3test's server.
func TestExamples(t *testing.T) {
	t.Parallel()
	mod, err := harness.ModuleDir()
	must(t, err)
	run(t, "versitygw", func(t *testing.T, w *harness.World) {
		binary := filepath.Join(w.Work, "s3.test")
		// The child's own home has none of Go's caches.
		home := "HOME=" + os.Getenv(harness.EnvHome)
		if r := w.Exec(t, []string{home}, "go", "test", "-C", filepath.Dir(mod), "-c", "-o", binary, "./s3"); r.Code != 0 {
			t.Fatalf("build the examples: %s", r.Out)
		}
		bucket := w.Bucket(t)
		env := append(harness.Credentials(), "S3_ENDPOINT="+w.Endpoint, "S3_REGION="+harness.Region, "S3_BUCKET="+bucket.Bucket,
			"S3_ACCESS_KEY="+harness.AccessKey, "S3_SECRET_KEY="+harness.SecretKey)
		if r := w.Exec(t, env, binary, "-test.run=^Example", "-test.v"); r.Code != 0 {
			t.Fatalf("the examples fail:\n%s", r.Out)
		}
		// They were there, and not on a server of their own.
		keys, err := bucket.Keys(w.Context(t), "")
		must(t, err)
		for _, key := range []string{"hello.txt", "stream", "parts", "given"} {
			if !slices.Contains(keys, key) {
				t.Errorf("no example wrote %q; the bucket holds %q", key, keys)
			}
		}
	})
}
