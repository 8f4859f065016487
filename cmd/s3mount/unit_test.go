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

// TestUnit has systemd judge the unit, with this test for the program.
func TestUnit(t *testing.T) {
	text, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	// A mistake that a person must correct is not tried again. A failure that the
	// network or new credentials can mend is.
	want := fmt.Sprintf("\nRestartPreventExitStatus=%d %d %d %d\n", exit.Usage, exit.Mountpoint, exit.FUSE, exit.Bucket)
	if !strings.Contains(string(text), want) {
		t.Errorf("the unit lacks %q", want)
	}
	// A crash of Go would end with the code of wrong usage.
	if !strings.Contains(string(text), "\nEnvironment=GOTRACEBACK=crash\n") {
		t.Error("after a crash the unit is not started again")
	}
	s, err := settings.Parse(settings.Invocation{Args: strings.Fields("s3mount --foreground --state-dir /var/lib/s3mount-service bucket /mnt"), Lookup: func(string) (string, bool) { return "", false }})
	if err != nil || !s.Foreground {
		t.Errorf("the unit's command line: %v", err)
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("systemd-analyze is not installed: what systemd thinks of the unit is not known")
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
		// Worse than 7.5 of 10 fails: nothing may be left out that a mount by
		// fusermount3 allows.
		{"security", "--no-pager", "--offline=true", "--threshold=75", file},
	} {
		out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
		if err != nil || args[0] == "verify" && len(out) > 0 {
			t.Errorf("systemd-analyze %s: %v\n%s", args[0], err, out)
		}
	}
}
