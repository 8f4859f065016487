package main

import (
	"os"
	"path/filepath"
	"testing"
)

// TestPrivateDirs checks the error for each option that names a directory. Package
// private has the tests of the directories themselves.
func TestPrivateDirs(t *testing.T) {
	base := t.TempDir()
	file := filepath.Join(base, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := defaultSettings()
	s.fs.StateDir, s.fs.SpoolDir, s.fs.CacheDir = filepath.Join(base, "state"), "", filepath.Join(base, "cache")
	warn := func(note string) { t.Errorf("warning %q", note) }
	if err := makePrivateDirs(s, warn); err != nil {
		t.Error(err)
	}
	s.fs.CacheDir = file
	wantFailure(t, makePrivateDirs(s, warn), exitUsage, "--cache: "+file+" is no directory")
	s.fs.StateDir = file
	wantFailure(t, makePrivateDirs(s, warn), exitUsage, "--state-dir: "+file+" is no directory")
}
