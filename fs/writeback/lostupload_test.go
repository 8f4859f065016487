package writeback

import (
	"context"
	"fmt"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// TestLostUpload: S3 has lost the upload that ran while a file was written. The
// bytes are still here, and are sent again before the commit returns.
func TestLostUpload(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	lost := 0
	b.s.hook(func(op, key string) error {
		if op == "complete" && lost == 0 {
			lost++
			return fmt.Errorf("complete: %w", s3.ErrLostUpload)
		}
		return nil
	}, nil)
	f := b.Open(OpenInput{Key: "k"})
	data := random(500_000, 1)
	for off := 0; off < len(data); off += 10_000 {
		mustWrite(t, f, data[off:off+10_000], int64(off))
	}
	f.awaitStream(t)
	if _, err := f.Commit(context.Background()); err != nil || lost != 1 {
		t.Errorf("commit: %v, %d uploads were lost", err, lost)
	}
	sameContent(t, "object", b.s.object("k"), data)
	mustClose(t, f)
	b.end(t)
}
