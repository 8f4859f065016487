package daemon

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"log/syslog"
	"os"
	"runtime/debug"
	"sync"

	sdjournal "github.com/coreos/go-systemd/v22/journal"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// logs holds the log of a mount.
type logs struct {
	*slog.Logger
	file *logFile // nil unless --log-file
}

// OpenLogs opens the log: the file of --log-file, otherwise stderr in the foreground and
// the system log in the background.
func OpenLogs(s *settings.Settings, stderr io.Writer) (*logs, error) {
	var level slog.Level
	if err := level.UnmarshalText([]byte(s.LogLevel)); err != nil {
		return nil, exit.Errorf(exit.Usage, "--log-level: %w", err)
	}
	switch {
	case s.LogFile != "":
		f, err := openLogFile(s.LogFile)
		if err != nil {
			return nil, exit.Errorf(exit.Usage, "--log-file: %w", err)
		}
		return &logs{slog.New(newHandler(s.LogFormat, f, level, true)), f}, nil
	case s.Foreground && stderrIsJournal():
		return &logs{Logger: slog.New(newSyslogHandler(s.LogFormat, journal{stderr}, level))}, nil
	case s.Foreground:
		return &logs{Logger: slog.New(newHandler(s.LogFormat, stderr, level, true))}, nil
	}
	out, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, "s3mount")
	if err != nil {
		return &logs{Logger: slog.New(slog.DiscardHandler)}, ErrNoSystemLog
	}
	return &logs{Logger: slog.New(newSyslogHandler(s.LogFormat, out, level))}, nil
}

// stderrIsJournal reports whether systemd has connected stderr to its journal.
func stderrIsJournal() bool {
	is, err := sdjournal.StderrIsJournalStream()
	return err == nil && is
}

// ErrNoSystemLog is returned together with a log that discards everything, so that a
// machine without a system log, such as a container, can mount.
var ErrNoSystemLog = errors.New("no system log")

// Reopen opens the log file again, if there is one.
func (l *logs) Reopen() error {
	if l.file == nil {
		return nil
	}
	return l.file.reopen()
}

// newHandler returns a handler that writes records as text or JSON lines. withTime is false
// for the system log, which adds the time itself.
func newHandler(format string, w io.Writer, level slog.Level, withTime bool) slog.Handler {
	o := &slog.HandlerOptions{Level: level}
	if !withTime {
		o.ReplaceAttr = func(groups []string, a slog.Attr) slog.Attr {
			if len(groups) == 0 && a.Key == slog.TimeKey {
				return slog.Attr{}
			}
			return a
		}
	}
	if format == "json" {
		return slog.NewJSONHandler(text.JSONWriter{To: w}, o)
	}
	return slog.NewTextHandler(w, o)
}

// logFile is a file that can be opened again under its name, as logrotate(8) requires.
type logFile struct {
	path string

	mu sync.Mutex
	f  *os.File
}

func openLogFile(path string) (*logFile, error) {
	l := &logFile{path: path}
	return l, l.reopen()
}

// Write appends one record.
func (l *logFile) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.f.Write(p)
}

// reopen opens the path again. Only the owner may read the file, because names of objects
// may be confidential. The Go runtime writes crashes to the same file.
func (l *logFile) reopen() error {
	f, err := os.OpenFile(l.path, os.O_WRONLY|os.O_APPEND|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := debug.SetCrashOutput(f, debug.CrashOptions{}); err != nil {
		f.Close()
		return fmt.Errorf("set crash output: %w", err)
	}
	l.mu.Lock()
	old := l.f
	l.f = f
	l.mu.Unlock()
	if old != nil {
		return old.Close()
	}
	return nil
}

// syslogWriter is the part of *syslog.Writer that writes with a severity.
type syslogWriter interface {
	Debug(string) error
	Info(string) error
	Warning(string) error
	Err(string) error
}

// syslogHandler formats a record with inner, which writes to line, and sends the line with
// the severity of its level.
type syslogHandler struct {
	inner slog.Handler
	out   syslogWriter
	line  *lineBuffer // shared by all handlers that WithAttrs and WithGroup derive
}

type lineBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func newSyslogHandler(format string, out syslogWriter, level slog.Level) *syslogHandler {
	line := &lineBuffer{}
	return &syslogHandler{inner: newHandler(format, &line.buf, level, false), out: out, line: line}
}

// Enabled reports whether records of the level are logged.
func (h *syslogHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.inner.Enabled(ctx, level)
}

// Handle formats the record and sends it.
func (h *syslogHandler) Handle(ctx context.Context, r slog.Record) error {
	h.line.mu.Lock()
	defer h.line.mu.Unlock()
	h.line.buf.Reset()
	if err := h.inner.Handle(ctx, r); err != nil {
		return err
	}
	line := h.line.buf.String()
	switch {
	case r.Level < slog.LevelInfo:
		return h.out.Debug(line)
	case r.Level < slog.LevelWarn:
		return h.out.Info(line)
	case r.Level < slog.LevelError:
		return h.out.Warning(line)
	}
	return h.out.Err(line)
}

// WithAttrs returns a handler that adds attrs to each record.
func (h *syslogHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &syslogHandler{inner: h.inner.WithAttrs(attrs), out: h.out, line: h.line}
}

// WithGroup returns a handler that puts later attributes into a group.
func (h *syslogHandler) WithGroup(name string) slog.Handler {
	return &syslogHandler{inner: h.inner.WithGroup(name), out: h.out, line: h.line}
}
