package setup

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// TestPrivateDirs checks the error for each option that names a directory. Package
// private has the tests of the directories themselves.
func TestPrivateDirs(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := settings.Defaults()
	s.FS.StateDir, s.FS.SpoolDir, s.FS.CacheDir = filepath.Join(base, "state"), "", filepath.Join(base, "cache")
	warn := func(note string) { t.Errorf("warning %q", note) }
	if err := MakePrivateDirs(s, warn); err != nil {
		t.Error(err)
	}
	s.FS.CacheDir = file
	exittest.Want(t, MakePrivateDirs(s, warn), exit.Usage, "--cache: "+file+" is not a directory")
	s.FS.StateDir = file
	exittest.Want(t, MakePrivateDirs(s, warn), exit.Usage, "--state-dir: "+file+" is not a directory")
}
