package daemon

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/fs"
)

// fakeMount is a mount whose unmount takes drain and ends with err.
type fakeMount struct {
	left  fs.Unwritten
	drain time.Duration
	err   error
	gone  chan struct{}
	fresh int // how often the caches were dropped
}

func (m *fakeMount) Wait() error {
	<-m.gone
	return m.err
}

func (m *fakeMount) Unwritten() fs.Unwritten { return m.left }

func (m *fakeMount) Invalidate() { m.fresh++ }

func (m *fakeMount) Unmount(ctx context.Context) error {
	select {
	case <-time.After(m.drain):
		close(m.gone)
		return m.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// someLeft is what is left to write in these tests.
func someLeft() fs.Unwritten { return fs.Unwritten{Bytes: 3 << 20, Uploads: 2} }

// serverOf is a server of m whose records end in the buffer returned.
func serverOf(m *fakeMount, signals chan os.Signal, terminal io.Writer) (*Server, *bytes.Buffer) {
	var records bytes.Buffer
	return &Server{
		CloseClient: func() {},
		Mount:       m,
		Detach:      func() error { return nil },
		Signals:     signals,
		Reopen:      func() error { return nil },
		Log:         slog.New(slog.NewTextHandler(&records, nil)),
		Terminal:    terminal,
	}, &records
}

func TestServeUntilUnmounted(t *testing.T) {
	lost := errors.New("no space left")
	for _, tc := range []struct {
		err  error
		code int
	}{{nil, exit.OK}, {lost, exit.Unwritten}} {
		synctest.Test(t, func(t *testing.T) {
			m := &fakeMount{err: tc.err, gone: make(chan struct{})}
			v, _ := serverOf(m, nil, nil)
			go func() {
				time.Sleep(time.Hour)
				close(m.gone)
			}()
			if err := v.Serve(); exit.Code(err) != tc.code || !errors.Is(err, tc.err) {
				t.Errorf("serve: %v, want %v", err, tc.err)
			}
		})
	}
}

func TestServeDrainsOnSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 4)
		m := &fakeMount{left: someLeft(), drain: 150 * time.Second, gone: make(chan struct{})}
		v, records := serverOf(m, signals, nil)
		reopened := 0
		v.Reopen = func() error { reopened++; return errors.New("disk full") }
		signals <- unix.SIGHUP
		signals <- unix.SIGTERM
		signals <- unix.SIGHUP
		start := time.Now()
		if err := v.Serve(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if took := time.Since(start); took != m.drain {
			t.Errorf("ended after %v, not when everything was written", took)
		}
		if m.fresh != 2 {
			t.Errorf("the caches were dropped %d times, want 2", m.fresh)
		}
		if reopened != 2 || strings.Count(records.String(), "disk full") != 2 {
			t.Errorf("the log was opened anew %d times, want 2", reopened)
		}
		if got := strings.Count(records.String(), `msg="not unmounted yet" state="writing to S3: 3.0 MiB and 2 unfinished uploads left"`); got != 2 {
			t.Errorf("%d lines of progress in 150 s, want 2:\n%s", got, records)
		}
	})
}

func TestServeShowsProgressOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		var terminal bytes.Buffer
		m := &fakeMount{left: someLeft(), drain: time.Second, gone: make(chan struct{})}
		v, _ := serverOf(m, signals, &terminal)
		signals <- unix.SIGINT
		if err := v.Serve(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if out := terminal.String(); !strings.Contains(out, "writing to S3: 3.0 MiB and 2 unfinished uploads left") || !strings.HasSuffix(out, "\r\x1b[J") {
			t.Errorf("on the terminal: %q", out)
		}
	})
}

func TestServeSecondSignal(t *testing.T) {
	for _, tc := range []struct {
		left   fs.Unwritten
		detach error
		says   string
	}{
		{someLeft(), nil, "not in S3: 3.0 MiB and 2 unfinished uploads"},
		{someLeft(), unix.EINVAL, "not in S3"},
		{fs.Unwritten{}, nil, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 2)
			m := &fakeMount{left: tc.left, drain: time.Hour, gone: make(chan struct{})}
			v, records := serverOf(m, signals, nil)
			detached := false
			v.Detach = func() error { detached = true; return tc.detach }
			go func() {
				signals <- unix.SIGTERM
				time.Sleep(time.Minute)
				signals <- unix.SIGTERM
			}()
			start := time.Now()
			exittest.Want(t, v.Serve(), exit.Unwritten, tc.says)
			if !detached || strings.Contains(records.String(), "cannot detach") {
				t.Errorf("detached: %v; records:\n%s", detached, records)
			}
			if took := time.Since(start); took != time.Minute {
				t.Errorf("ended after %v", took)
			}
			close(m.gone)
		})
	}
}

func TestDescribe(t *testing.T) {
	for want, u := range map[string]fs.Unwritten{
		"0 B":                              {},
		"1.5 KiB":                          {Bytes: 1536},
		"0 B and 1 unfinished upload":      {Uploads: 1},
		"1.0 MiB and 2 unfinished uploads": {Bytes: 1 << 20, Uploads: 2},
	} {
		if got := describe(u); got != want {
			t.Errorf("describe(%+v) = %q, want %q", u, got, want)
		}
	}
}

// TestServeEndsUnderOpenFiles ends a mount whose files stay open. The exit code says
// whether S3 holds everything.
func TestServeEndsUnderOpenFiles(t *testing.T) {
	for left, code := range map[fs.Unwritten]int{{}: exit.OK, someLeft(): exit.Unwritten} {
		synctest.Test(t, func(t *testing.T) {
			signals := make(chan os.Signal, 1)
			m := &fakeMount{left: left, err: fs.ErrOpenFiles, gone: make(chan struct{})}
			v, _ := serverOf(m, signals, nil)
			signals <- unix.SIGTERM
			if err := v.Serve(); exit.Code(err) != code {
				t.Errorf("with %+v left: %v, want the exit code %d", left, err, code)
			}
		})
	}
}
