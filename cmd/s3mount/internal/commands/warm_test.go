package commands

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
)

// noDisplay returns a display that shows nothing.
func noDisplay() *progress.Display { return progress.Lines(func(string) {}) }

func TestWarm(t *testing.T) {
	dir := t.TempDir()
	total := int64(0)
	for i := range 40 {
		path := filepath.Join(dir, fmt.Sprint(i%3), fmt.Sprint(i))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		putFile(t, path, strings.Repeat("x", i*1000))
		total += int64(i * 1000)
	}
	if err := os.Symlink("/nowhere", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	w := &warming{readers: 4}
	if err := w.run(t.Context(), []string{dir, filepath.Join(dir, "1", "1")}, noDisplay()); err != nil {
		t.Fatal(err)
	}
	if w.files != 41 || w.read != total+1000 || w.found != w.read {
		t.Errorf("read %d files and %d of %d bytes, want 41 and %d", w.files, w.read, w.found, total+1000)
	}
	w = &warming{readers: 4}
	err := w.run(t.Context(), []string{filepath.Join(dir, "absent"), dir}, noDisplay())
	if err == nil || !strings.Contains(err.Error(), "1 path could not be read; the first: ") || w.files != 40 {
		t.Errorf("with a path that is absent: %v, %d files", err, w.files)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	w = &warming{readers: 4}
	if err := w.run(ctx, []string{dir}, noDisplay()); err != nil || w.files != 0 {
		t.Errorf("interrupted: %v, %d files", err, w.files)
	}
}
