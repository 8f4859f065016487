package main

import (
	"os"
	"path/filepath"
	"testing"
)

// fakeMachine is a machine on which everything is in order.
func fakeMachine(t *testing.T) *machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine{
		mountinfo: filepath.Join(dir, "mountinfo"),
		fuseDev:   filepath.Join(dir, "fuse"),
		fuseConf:  filepath.Join(dir, "fuse.conf"),
		canMount:  true,
		lookPath:  func(name string) (string, error) { return "/bin/" + name, nil },
		stat:      os.Stat,
		ping:      func(string) error { return nil },
	}
	putFile(t, m.mountinfo, "")
	putFile(t, m.fuseDev, "")
	return m
}

func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
