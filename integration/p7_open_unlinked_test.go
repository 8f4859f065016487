package integration

import (
	"bytes"
	"io"
	"os"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP7OpenUnlinked checks that an open file that is unlinked or replaced stays
// readable and writable, and never reappears under its name.
func TestP7OpenUnlinked(t *testing.T) {
	t.Parallel()
	ways := map[string]func(m *harness.Mount) error{
		"unlinked": func(m *harness.Mount) error { return os.Remove(m.Path("f")) },
		"replaced": func(m *harness.Mount) error {
			if err := os.WriteFile(m.Path("g"), []byte("new"), 0o644); err != nil {
				return err
			}
			return os.Rename(m.Path("g"), m.Path("f"))
		},
	}
	for name, remove := range ways {
		run(t, name+" while read", func(t *testing.T, w *harness.World) {
			m, bucket, _ := mountOf(t, w)
			for _, n := range []int{1000, 40 << 20} {
				body := payload(n, n)
				must(t, bucket.Put(w.Context(t), "f", body, nil))
				f, err := os.Open(m.Path("f"))
				must(t, err)
				must(t, remove(m))
				got, err := io.ReadAll(f)
				if err != nil || !bytes.Equal(got, body) {
					t.Errorf("read %d of %d bytes (%v)", len(got), n, err)
				}
				must(t, f.Close())
			}
		})
		run(t, name+" while written", func(t *testing.T, w *harness.World) {
			m, bucket, _ := mountOf(t, w)
			for _, n := range []int{1000, 20 << 20} {
				f, err := os.OpenFile(m.Path("f"), os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o644)
				must(t, err)
				body := payload(n, n)
				_, err = f.Write(body)
				must(t, err)
				must(t, remove(m))
				_, err = f.Write(body)
				must(t, err)
				got := make([]byte, 2*n)
				_, err = f.ReadAt(got, 0)
				must(t, err)
				if !bytes.Equal(got, append(body, body...)) {
					t.Errorf("%d bytes: read other bytes than written", n)
				}
				must(t, f.Sync())
				must(t, f.Close())
			}
			m.Unmount(t)
			if name == "unlinked" {
				wantNoObject(t, w, bucket, "f")
			} else {
				wantObject(t, w, bucket, "f", []byte("new"))
			}
			if up, err := bucket.Uploads(w.Context(t)); err != nil || len(up) > 0 {
				t.Errorf("uploads left behind: %q (%v)", up, err)
			}
		})
	}
}
