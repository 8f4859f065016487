package integration

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestTopOnATerminal checks s3mount top on screens of any size, and that it restores
// the terminal.
func TestTopOnATerminal(t *testing.T) {
	t.Parallel()
	run(t, "tmux", testTop)
}

func testTop(t *testing.T, w *harness.World) {
	harness.Need(t, "tmux")
	m := seenMount(t, w)
	socket := filepath.Join(w.Work, "tmux")
	tmux := func(args ...string) string {
		r := w.Exec(t, append(m.env, "LC_ALL=C.UTF-8", "TERM=xterm", "PS1=$ "), "tmux", append([]string{"-f", "/dev/null", "-S", socket}, args...)...)
		if r.Code != 0 {
			t.Fatalf("tmux %q ended with %d: %s", args, r.Code, r.Out)
		}
		return r.Out
	}
	tmux("new-session", "-d", "-x", "100", "-y", "30", "sh")
	t.Cleanup(func() {
		if out, err := harness.Output("tmux", "-S", socket, "kill-server"); err != nil {
			t.Errorf("end tmux: %v: %s", err, out)
		}
	})
	shows := func(words ...string) {
		t.Helper()
		m.until(t, func() bool {
			screen := tmux("capture-pane", "-p")
			for _, word := range words {
				if !strings.Contains(screen, word) {
					return false
				}
			}
			return true
		})
	}
	state := func() string {
		return strings.TrimSpace(tmux("display-message", "-p", "#{alternate_on} #{cursor_flag}"))
	}
	tmux("send-keys", w.Binary+" top --interval 100ms "+m.Dir+"; echo ended with $?", "Enter")
	shows(m.Dir+": "+m.bucket.Bucket, "hits", "S3")
	if got := state(); got != "1 0" {
		t.Errorf("on top of the shell: alternate screen and cursor are %q", got)
	}
	tmux("resize-window", "-x", "30", "-y", "5")
	m.until(t, func() bool {
		lines := strings.Split(strings.TrimRight(tmux("capture-pane", "-p"), "\n"), "\n")
		return len(lines) <= 5 && strings.HasPrefix(lines[0], m.Dir[:30]) && strings.TrimSpace(lines[len(lines)-1]) != ""
	})
	tmux("resize-window", "-x", "100", "-y", "30")
	shows(m.Dir+": "+m.bucket.Bucket, "hits", "S3")
	tmux("send-keys", "C-c")
	shows("ended with 0")
	if got := state(); got != "0 1" {
		t.Errorf("after the end: alternate screen and cursor are %q", got)
	}
}
