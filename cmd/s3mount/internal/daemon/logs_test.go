package daemon

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

func TestLogFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	s := settings.Defaults()
	s.LogFile, s.LogFormat, s.LogLevel = path, "json", "warn"
	l, err := OpenLogs(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	l.Info("not wanted")
	l.Warn("first", slog.Int("n", 1))
	if err := os.Rename(path, path+".1"); err != nil {
		t.Fatal(err)
	}
	l.Warn("second")
	if err := l.Reopen(); err != nil {
		t.Fatal(err)
	}
	l.Warn("third")
	for name, want := range map[string][]string{path + ".1": {"first", "second"}, path: {"third"}} {
		if got := messages(t, name); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", name, got, want)
		}
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, mode %v", name, err, info.Mode())
		}
	}
}

// messages reads the msg of each JSON record in a file.
func messages(t *testing.T, path string) []string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(content)) {
		var record struct {
			Time, Msg string
		}
		if err := json.Unmarshal([]byte(line), &record); err != nil || record.Time == "" {
			t.Errorf("%q: %v", line, err)
		}
		got = append(got, record.Msg)
	}
	return got
}

func TestLogToStderr(t *testing.T) {
	s := settings.Defaults()
	s.Foreground = true
	var stderr bytes.Buffer
	l, err := OpenLogs(s, &stderr)
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("not wanted")
	l.Info("wanted")
	if got := stderr.String(); !strings.Contains(got, "level=INFO msg=wanted") || strings.Count(got, "\n") != 1 {
		t.Errorf("stderr has %q", got)
	}
	if err := l.Reopen(); err != nil {
		t.Errorf("reopen without a file: %v", err)
	}
}

func TestLogFileRefused(t *testing.T) {
	s := settings.Defaults()
	s.LogFile = filepath.Join(t.TempDir(), "no", "such", "directory")
	_, err := OpenLogs(s, nil)
	exittest.Want(t, err, exit.Usage, "--log-file")
}

// fakeSyslog keeps what is sent to it, with the severity.
type fakeSyslog struct{ lines []string }

func (f *fakeSyslog) Debug(s string) error   { f.lines = append(f.lines, "debug "+s); return nil }
func (f *fakeSyslog) Info(s string) error    { f.lines = append(f.lines, "info "+s); return nil }
func (f *fakeSyslog) Warning(s string) error { f.lines = append(f.lines, "warning "+s); return nil }
func (f *fakeSyslog) Err(s string) error     { f.lines = append(f.lines, "err "+s); return nil }

func TestSyslogHandler(t *testing.T) {
	var out fakeSyslog
	log := slog.New(newSyslogHandler("text", &out, slog.LevelDebug))
	log.Debug("a")
	log.With("k", 1).Info("b")
	log.WithGroup("g").Warn("c", slog.Int("time", 2))
	log.Error("d")
	want := []string{
		"debug level=DEBUG msg=a\n",
		"info level=INFO msg=b k=1\n",
		"warning level=WARN msg=c g.time=2\n",
		"err level=ERROR msg=d\n",
	}
	if !slices.Equal(out.lines, want) {
		t.Errorf("sent %q, want %q", out.lines, want)
	}
	log = slog.New(newSyslogHandler("json", &out, slog.LevelWarn))
	log.Info("not wanted")
	if len(out.lines) != len(want) {
		t.Errorf("a record below the level was sent: %q", out.lines[len(want):])
	}
}

func TestJournal(t *testing.T) {
	var out bytes.Buffer
	log := slog.New(newSyslogHandler("text", journal{&out}, slog.LevelDebug))
	log.Debug("a")
	log.Info("b")
	log.Warn("c")
	log.Error("d")
	if want := "<7>level=DEBUG msg=a\n<6>level=INFO msg=b\n<4>level=WARN msg=c\n<3>level=ERROR msg=d\n"; out.String() != want {
		t.Errorf("wrote %q, want %q", &out, want)
	}
}
