package integration

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// app is a program as people use it. Its script runs in an empty directory
// with the fixture's path as $1, once on a local disk and once on a mount; its
// output and the tree that it leaves must be the same.
type app struct {
	name   string
	needs  []string // programs beside the basic ones
	script string
	tree   harness.TreeOptions
	nobody bool   // also without privileges
	after  string // asked again after a remount
}

func TestApp(t *testing.T) {
	t.Parallel()
	for _, a := range slices.Concat(apps, appsOfMore) {
		t.Run(a.name, func(t *testing.T) {
			harness.Run(t, harness.Config{}, a.run)
		})
	}
}

// TestAppNobody runs some of these programs as an unprivileged user, who mounts with
// fusermount3.
func TestAppNobody(t *testing.T) {
	t.Parallel()
	for _, a := range slices.Concat(apps, appsOfMore) {
		if a.nobody {
			t.Run(a.name, func(t *testing.T) {
				harness.Run(t, harness.Config{AsNobody: true}, func(t *testing.T, w *harness.World) {
					harness.Need(t, "fusermount3")
					a.run(t, w)
				})
			})
		}
	}
}

func (a app) run(t *testing.T, w *harness.World) {
	a.runOn(t, w, w.Endpoint, w.Bucket(t))
}

// runOn runs the program on a mount of a bucket that s3mount reaches at endpoint.
func (a app) runOn(t *testing.T, w *harness.World, endpoint string, bucket *harness.Referee) {
	harness.Need(t, a.needs...)
	ctx := w.Context(t)
	src := fixture(t, w.Dir(t, "fixture"))
	local := w.Dir(t, "local")
	wantOut := w.Sh(t, local, a.script, src)
	want := snapshot(t, local)

	m := w.Mount(t, harness.MountOptions{Endpoint: endpoint, Source: bucket.Bucket})
	if out := w.Sh(t, m.Dir, a.script, src); out != wantOut {
		t.Errorf("the output differs\n--- local\n%s\n--- mount\n%s", wantOut, out)
	}
	got := snapshot(t, m.Dir)
	if d := want.Diff(got, a.tree); d != "" {
		t.Errorf("the mount differs from the local directory:\n%s", d)
	}
	w.Sh(t, m.Dir, "find . -type d -exec sync {} +") // deletes are gathered for a moment
	if d, err := got.DiffObjects(ctx, bucket, ""); err != nil || d != "" {
		t.Errorf("the bucket differs from the mount (%v):\n%s", err, d)
	}
	m = m.Remount(t)
	again := harness.TreeOptions{Mtimes: a.tree.Mtimes, Contents: !a.tree.Mtimes}
	if d := got.Diff(snapshot(t, m.Dir), again); d != "" {
		t.Errorf("the mount differs after it was mounted again:\n%s", d)
	}
	if d, err := got.DiffObjects(ctx, bucket, ""); err != nil || d != "" {
		t.Errorf("the bucket differs from the mount after it was mounted again (%v):\n%s", err, d)
	}
	if want, got := w.Sh(t, local, a.after, src), w.Sh(t, m.Dir, a.after, src); got != want {
		t.Errorf("the output after it was mounted again differs\n--- local\n%s\n--- mount\n%s", want, got)
	}
	if up, err := bucket.Uploads(ctx); err != nil || len(up) > 0 {
		t.Errorf("uploads left behind: %q (%v)", up, err)
	}
	m.Unmount(t)
}

func snapshot(t testing.TB, dir string) harness.Tree {
	t.Helper()
	tree, err := harness.Snapshot(dir)
	must(t, err)
	return tree
}

// TestAppScripts holds the scripts to a local directory alone, so that a
// mistake in them is not looked for in the filesystem.
func TestAppScripts(t *testing.T) {
	t.Parallel()
	for _, a := range slices.Concat(apps, appsOfMore) {
		t.Run(a.name, func(t *testing.T) {
			harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
				harness.Need(t, a.needs...)
				src := fixture(t, w.Dir(t, "fixture"))
				one, two := w.Dir(t, "local"), w.Dir(t, "local")
				first, second := w.Sh(t, one, a.script, src), w.Sh(t, two, a.script, src)
				if first != second {
					t.Errorf("the output is not the same each time\n%s\n---\n%s", first, second)
				}
				if d := snapshot(t, one).Diff(snapshot(t, two), a.tree); d != "" {
					t.Errorf("the tree is not the same each time:\n%s", d)
				}
				if _, err := os.Stat(filepath.Join(src, "big.bin")); err != nil {
					t.Errorf("the fixture was harmed: %v", err)
				}
			})
		})
	}
}
