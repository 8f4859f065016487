package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

const unitFile = "packaging/s3mount@.service"

// TestUnit checks the unit with systemd-analyze. This test binary stands for s3mount.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	// systemd retries failures that the network or new credentials can resolve, but no
	// mistakes that a person must correct.
	want := fmt.Sprintf("\nRestartPreventExitStatus=%d %d %d %d\n", exit.Usage, exit.Mountpoint, exit.FUSE, exit.Bucket)
	if !strings.Contains(string(text), want) {
		t.Errorf("the unit lacks %q", want)
	}
	// By default a crash of Go has the exit code of wrong usage, which is not retried.
	if !strings.Contains(string(text), "\nEnvironment=GOTRACEBACK=crash\n") {
		t.Error("after a crash the unit is not started again")
	}
	s, err := settings.Parse(settings.Invocation{Args: strings.Fields("s3mount --foreground --state-dir /var/lib/s3mount-service bucket /mnt"), Lookup: func(string) (string, bool) { return "", false }})
	if err != nil || !s.Foreground {
		t.Errorf("the unit's command line: %v", err)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), filepath.Base(unitFile))
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(string(text), "/usr/bin/s3mount", self)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"verify", "--man=no", "--recursive-errors=no", file},
		// An exposure above 7.5 of 10 fails, so that the unit keeps every restriction
		// that fusermount3 can work with.
		{"security", "--no-pager", "--offline=true", "--threshold=75", file},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
