package integration

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestAptInstallWaits runs apt-install with an apt-get that finds a lock held for a
// while, or that fails for another reason.
func TestAptInstallWaits(t *testing.T) {
	t.Parallel()
	const lock = "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 1"
	for name, tc := range map[string]struct {
		message string
		fails   int // so often
		calls   []string
	}{
		"free":            {"", 0, []string{"update", "install"}},
		"lists locked":    {lock, 3, []string{"update", "update", "update", "update", "install"}},
		"locked for ever": {lock, 1000, nil},
		"no network":      {"E: Failed to fetch", 1, []string{"update"}},
	} {
		dir := t.TempDir()
		calls := filepath.Join(dir, "calls")
		fake := `#!/bin/sh
for word; do case $word in update | install) echo "$word" >>` + calls + `;; esac; done
if [ "$(wc -l <` + calls + `)" -le "$FAILS" ]; then echo "$MESSAGE" >&2; exit 100; fi
`
		must(t, os.WriteFile(filepath.Join(dir, "apt-get"), []byte(fake), 0o700))
		cmd := exec.Command("./apt-install", "package")
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "APT_PAUSE=0", "MESSAGE="+tc.message, fmt.Sprint("FAILS=", tc.fails))
		out, err := cmd.CombinedOutput()
		made, readErr := os.ReadFile(calls)
		must(t, readErr)
		fields := strings.Fields(string(made))
		wantError := tc.calls == nil || tc.calls[len(tc.calls)-1] != "install"
		if (err != nil) != wantError || tc.calls != nil && strings.Join(fields, " ") != strings.Join(tc.calls, " ") || tc.calls == nil && len(fields) != 121 {
			t.Errorf("%s: %d calls %q, error %v\n%s", name, len(fields), fields[:min(len(fields), 6)], err, out)
		}
	}
}
