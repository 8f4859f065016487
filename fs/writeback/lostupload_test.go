package writeback

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// TestUploadIsRepeated checks that a commit sends all bytes again if S3 has lost the upload, or
// does not complete it because it collided with another writer.
func TestUploadIsRepeated(t *testing.T) {
	for _, cause := range []error{s3.ErrLostUpload, s3.ErrConflict} {
		for _, streams := range []bool{true, false} {
			if !streams && cause == s3.ErrLostUpload {
				continue // the next commit sends it
			}
			t.Run(fmt.Sprintf("%v, streams %v", cause, streams), func(t *testing.T) {
				b := newBench(t, t.TempDir(), 16<<20, nil)
				b.shrink(64<<10, 32<<10)
				data := random(500_000, 1)
				f := b.openForUpload(t, data, streams)
				refused := 0
				b.s.hook(func(op, key string) error {
					if op == "complete" && refused == 0 {
						refused++
						return fmt.Errorf("complete: %w", cause)
					}
					return nil
				}, nil)
				if _, err := f.Commit(context.Background()); err != nil || refused != 1 {
					t.Errorf("commit: %v, %d uploads were refused", err, refused)
				}
				sameContent(t, "object", b.s.object("k"), data)
				mustClose(t, f)
				b.end(t)
			})
		}
	}
}

// openForUpload returns a file of data whose commit needs an upload: a stream, or an upload over a base.
func (b *bench) openForUpload(t *testing.T, data []byte, streams bool) *File {
	t.Helper()
	if !streams {
		old := append([]byte(nil), data...)
		clear(old[200_000:201_000])
		b.s.put("k", old)
		f := b.openKey("k")
		mustWrite(t, f, data[200_000:201_000], 200_000)
		return f
	}
	f := b.Open(OpenInput{Key: "k"})
	for off := 0; off < len(data); off += 10_000 {
		mustWrite(t, f, data[off:off+10_000], int64(off))
	}
	f.awaitStream(t)
	return f
}

// TestUploadCollidesWithOthers checks that an upload that always collides with another writer
// returns an error and leaves no upload.
func TestUploadCollidesWithOthers(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	data := random(500_000, 1)
	f := b.openForUpload(t, data, false)
	tries := 0
	b.s.hook(func(op, key string) error {
		if op == "complete" {
			tries++
			return s3.ErrConflict
		}
		return nil
	}, nil)
	if _, err := f.Commit(context.Background()); !errors.Is(err, s3.ErrConflict) || tries != metTries {
		t.Errorf("commit: %v after %d tries", err, tries)
	}
	b.s.hook(nil, nil)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), data)
	mustClose(t, f)
	b.end(t)
}
