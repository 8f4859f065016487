package machine

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

// testMachine is a machine on which everything is in order.
func testMachine(t *testing.T) *Machine {
	t.Helper()
	dir := t.TempDir()
	m := &Machine{
		Mountinfo: filepath.Join(dir, "mountinfo"),
		FuseDev:   filepath.Join(dir, "fuse"),
		FuseConf:  filepath.Join(dir, "fuse.conf"),
		CanMount:  true,
		LookPath:  func(name string) (string, error) { return "/bin/" + name, nil },
		Stat:      os.Stat,
		Ping:      func(string) error { return nil },
	}
	writeFile(t, m.Mountinfo, "")
	writeFile(t, m.FuseDev, "")
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
		change     func(*Machine)
		allowOther bool
		says       string
	}{
		{"root", func(*Machine) {}, true, ""},
		{"root without fusermount3", func(m *Machine) { m.LookPath = noProgram }, true, ""},
		{"no device", func(m *Machine) { m.FuseDev += "x" }, false, "modprobe fuse"},
		{"user", func(m *Machine) { m.CanMount = false }, false, ""},
		{"user without fusermount3", func(m *Machine) { m.CanMount, m.LookPath = false, noProgram }, false, "install the package fuse3"},
		{"user with allow_other", func(m *Machine) { m.CanMount = false }, true, "user_allow_other"},
		{"user with allow_other that is commented out", func(m *Machine) {
			m.CanMount = false
			writeFile(t, m.FuseConf, "#user_allow_other\nmount_max = 5\n")
		}, true, "user_allow_other"},
		{"user with allow_other that is allowed", func(m *Machine) {
			m.CanMount = false
			writeFile(t, m.FuseConf, "# comment\n user_allow_other \n")
		}, true, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := testMachine(t)
			tc.change(m)
			exittest.Want(t, m.CheckFUSE(tc.allowOther), exit.FUSE, tc.says)
		})
	}
}

func TestFusermount(t *testing.T) {
	m := testMachine(t)
	m.LookPath = func(name string) (string, error) {
		if name == "fusermount3" {
			return "", errors.New("not found")
		}
		return "/bin/" + name, nil
	}
	if got, err := m.Fusermount(); got != "/bin/fusermount" || err != nil {
		t.Errorf("fusermount() = %s, %v", got, err)
	}
}
