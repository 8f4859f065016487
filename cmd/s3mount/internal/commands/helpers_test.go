package commands

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
)

// fakeMachine is a machine on which everything is in order.
func fakeMachine(t *testing.T) *machine.Machine {
	t.Helper()
	dir := t.TempDir()
	m := &machine.Machine{
		Mountinfo: filepath.Join(dir, "mountinfo"),
		FuseDev:   filepath.Join(dir, "fuse"),
		FuseConf:  filepath.Join(dir, "fuse.conf"),
		CanMount:  true,
		LookPath:  func(name string) (string, error) { return "/bin/" + name, nil },
		Stat:      os.Stat,
		Ping:      func(string) error { return nil },
	}
	putFile(t, m.Mountinfo, "")
	putFile(t, m.FuseDev, "")
	return m
}

func putFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}
