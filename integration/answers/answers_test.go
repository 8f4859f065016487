package answers

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// TestSameEachTime checks that two reports of one filesystem are equal, so that every
// difference between two filesystems is real.
func TestSameEachTime(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("cases act as other users, which needs root")
	}
	var one, two bytes.Buffer
	for _, w := range []*bytes.Buffer{&one, &two} {
		dir := t.TempDir()
		for _, d := range []string{dir, filepath.Dir(dir)} { // the other users must reach it
			if err := os.Chmod(d, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := Run(dir, w); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(one.Bytes(), two.Bytes()) {
		t.Error("two reports of one directory differ")
	}
	t.Logf("%d answers", bytes.Count(one.Bytes(), []byte("\n")))
}
