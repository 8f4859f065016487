package namespace

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// prove makes the first delete of a mount, which always waits.
func prove(t *testing.T, n *Namespace) {
	t.Helper()
	if err := n.Unlink(t.Context(), n.Root(), "proof", at(t, n, "proof")); err != nil {
		t.Fatal(err)
	}
}

// TestSingleRemovalHasReachedS3 shows that S3 has executed an unlink, an rmdir and a
// rename that belong to no run when they return.
func TestSingleRemovalHasReachedS3(t *testing.T) {
	ctx := context.Background()
	for name, tc := range map[string]struct {
		do   func(t *testing.T, n *Namespace) error
		want []string
	}{
		"unlink": {func(t *testing.T, n *Namespace) error {
			return n.Unlink(ctx, n.Root(), "a", at(t, n, "a"))
		}, []string{"d/", "d/x"}},
		"rename": {func(t *testing.T, n *Namespace) error {
			_, err := mv(t, n, "a", "b")
			return err
		}, []string{"b", "d/", "d/x"}},
		"rmdir": {func(t *testing.T, n *Namespace) error {
			if err := n.UnlinkInRun(ctx, at(t, n, "d"), "x", at(t, n, "d/x")); err != nil {
				return err
			}
			return n.Rmdir(ctx, n.Root(), "d", at(t, n, "d"))
		}, []string{"a"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, "a", "d/", "d/x", "proof")
			n := newTest(t, f)
			ls(t, n, "")
			ls(t, n, "d")
			prove(t, n)
			if err := tc.do(t, n); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			equal(t, name, f.keys(), tc.want)
		})
	}
}

// TestChangesComeAfterRemovals shows that no later change reaches S3 before a removal
// that was acknowledged.
func TestChangesComeAfterRemovals(t *testing.T) {
	ctx := context.Background()
	for name, change := range map[string]func(t *testing.T, n *Namespace) error{
		"commit": func(t *testing.T, n *Namespace) error { return n.WaitDeleted(ctx, "other") },
		"mkdir": func(t *testing.T, n *Namespace) error {
			_, err := n.Mkdir(ctx, n.Root(), "new", entry.Attr{})
			return err
		},
		"symlink": func(t *testing.T, n *Namespace) error {
			_, err := n.Mknod(ctx, n.Root(), "new", entry.Symlink, entry.Attr{}, "to")
			return err
		},
		"rename": func(t *testing.T, n *Namespace) error {
			_, err := mv(t, n, "b", "new")
			return err
		},
		"unlink": func(t *testing.T, n *Namespace) error { return n.Unlink(ctx, n.Root(), "b", at(t, n, "b")) },
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, "a", "b", "proof")
			n := newTest(t, f)
			ls(t, n, "")
			prove(t, n)
			if err := n.UnlinkInRun(ctx, n.Root(), "a", at(t, n, "a")); err != nil {
				t.Fatal(err)
			}
			removed, early := false, ""
			f.setFail(func(op, key string) error {
				if op == "DELETE" && key == "a" {
					removed = true
				} else if !removed && op != "HEAD" && op != "LIST" && op != "GET" {
					early = op + " " + key
				}
				return nil
			})
			if err := change(t, n); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if !removed || early != "" {
				t.Errorf("%s: the removal was executed: %v; before it came %q", name, removed, early)
			}
			f.setFail(nil)
		})
	}
}

// TestRmdirReportsItsContent shows that an rmdir fails if what was removed in the
// directory stays, and that the directory is still there.
func TestRmdirReportsItsContent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFake(t, "d/", "d/x", "proof")
		n := newTest(t, f)
		ls(t, n, "")
		ls(t, n, "d")
		prove(t, n)
		if err := n.UnlinkInRun(ctx, at(t, n, "d"), "x", at(t, n, "d/x")); err != nil {
			t.Fatal(err)
		}
		f.setFail(func(op, key string) error {
			if op == "MULTI" {
				return fakeErr(op, key, 403, s3.ErrForbidden)
			}
			return nil
		})
		if err := n.Rmdir(ctx, n.Root(), "d", at(t, n, "d")); !errors.Is(err, s3.ErrForbidden) {
			t.Errorf("rmdir: %v, want %v", err, s3.ErrForbidden)
		}
		f.setFail(nil)
		equal(t, "names", ls(t, n, "d"), []string{"x"})
	})
}

// TestRecoverRemovals shows that the next mount finishes removals that were
// acknowledged and not executed, and that it spares what was written since.
func TestRecoverRemovals(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		f := newFake(t, "a", "b", "d/", "d/x", "e/", "proof", "stays")
		state, left := t.TempDir(), t.TempDir()
		n := newTest(t, f, func(o *Options) { o.StateDir = state })
		for _, dir := range []string{"", "d", "e"} {
			ls(t, n, dir)
		}
		prove(t, n)
		for _, name := range []string{"a", "b"} {
			if err := n.UnlinkInRun(ctx, n.Root(), name, at(t, n, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := n.UnlinkInRun(ctx, at(t, n, "d"), "x", at(t, n, "d/x")); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"d", "e"} {
			if err := n.RmdirInRun(ctx, n.Root(), name, at(t, n, name)); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.CopyFS(left, os.DirFS(state)); err != nil { // as a kill leaves it
			t.Fatal(err)
		}
		f.set("b", "x", nil, time.Now()) // the same bytes once more
		f.set("e/new", "x", nil, time.Now())
		after := newTest(t, f, func(o *Options) { o.StateDir = left })
		if err := after.Recover(ctx); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.keys(), []string{"b", "e/", "e/new", "stays"})
		equal(t, "records", records(t, left), []string{})

		mustDrain(t, n)
		if got := records(t, state); len(got) != 1 {
			t.Errorf("records after the drain: %q", got)
		} else if info, err := os.Stat(filepath.Join(state, got[0])); err != nil || info.Size() != 0 {
			t.Errorf("the record is not empty after the drain: %v, %v", info, err)
		}
		n.Close()
		equal(t, "records", records(t, state), []string{})
	})
}

func records(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestRemovalLogIsBounded shows that the log does not grow while removals are under
// way all the time, and that no record that counts is lost.
func TestRemovalLogIsBounded(t *testing.T) {
	l := newRemovalLog(t.TempDir())
	first := &deletion{entry: entry.Entry{Key: "first"}, done: make(chan struct{})}
	if err := l.add("b", first, time.Now()); err != nil {
		t.Fatal(err)
	}
	key := make([]byte, 700)
	for i := range key {
		key[i] = 'k'
	}
	for range 2 * removalLogSize / 1000 {
		d := &deletion{entry: entry.Entry{Key: string(key)}, done: make(chan struct{})}
		if err := l.add("b", d, time.Now()); err != nil {
			t.Fatal(err)
		}
		if err := l.ended([]*deletion{d}); err != nil {
			t.Fatal(err)
		}
	}
	info, err := l.file.Stat()
	if err != nil || info.Size() > removalLogSize+2000 {
		t.Errorf("the log has %v bytes, %v", info.Size(), err)
	}
	files, _, err := (&recovery{bucket: &bucket{o: Options{Bucket: "b"}}}).readRemovals(l.file)
	if err != nil || len(files) == 0 || string(files[0].Key) != "first" {
		t.Errorf("the first record is lost: %d records, %v", len(files), err)
	}
	if err := l.ended([]*deletion{first}); err != nil {
		t.Fatal(err)
	}
	if err := l.close(); err != nil {
		t.Fatal(err)
	}
}
