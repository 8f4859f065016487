package main

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// testMachine is a machine on which everything is in order.
func testMachine(t *testing.T) *machine {
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
	writeFile(t, m.mountinfo, "")
	writeFile(t, m.fuseDev, "")
	return m
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestCheckFUSE(t *testing.T) {
	noProgram := func(string) (string, error) { return "", errors.New("not found") }
	for _, tc := range []struct {
		name       string
		change     func(*machine)
		allowOther bool
		says       string
	}{
		{"root", func(*machine) {}, true, ""},
		{"root without fusermount3", func(m *machine) { m.lookPath = noProgram }, true, ""},
		{"no device", func(m *machine) { m.fuseDev += "x" }, false, "modprobe fuse"},
		{"user", func(m *machine) { m.canMount = false }, false, ""},
		{"user without fusermount3", func(m *machine) { m.canMount, m.lookPath = false, noProgram }, false, "install the package fuse3"},
		{"user with allow_other", func(m *machine) { m.canMount = false }, true, "user_allow_other"},
		{"user with allow_other that is commented out", func(m *machine) {
			m.canMount = false
			writeFile(t, m.fuseConf, "#user_allow_other\nmount_max = 5\n")
		}, true, "user_allow_other"},
		{"user with allow_other that is allowed", func(m *machine) {
			m.canMount = false
			writeFile(t, m.fuseConf, "# comment\n user_allow_other \n")
		}, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := testMachine(t)
			tc.change(m)
			wantFailure(t, m.checkFUSE(tc.allowOther), exitFUSE, tc.says)
		})
	}
}

func TestFusermount(t *testing.T) {
	m := testMachine(t)
	m.lookPath = func(name string) (string, error) {
		if name == "fusermount3" {
			return "", errors.New("not found")
		}
		return "/bin/" + name, nil
	}
	if got, err := m.fusermount(); got != "/bin/fusermount" || err != nil {
		t.Errorf("fusermount() = %s, %v", got, err)
	}
}
