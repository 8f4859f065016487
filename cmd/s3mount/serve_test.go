package main

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

	"github.com/s3mount/s3mount/fs"
)

// fakeMount is a mount whose unmount takes drain and ends with err.
type fakeMount struct {
	drain time.Duration
	err   error
	gone  chan struct{}
}

func (m *fakeMount) Wait() error {
	<-m.gone
	return m.err
}

func (m *fakeMount) Unwritten() fs.Unwritten { return fs.Unwritten{Bytes: 3 << 20, Uploads: 2} }

func (m *fakeMount) Unmount(ctx context.Context) error {
	select {
	case <-time.After(m.drain):
		close(m.gone)
		return m.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serverOf is a server of m whose records end in the buffer returned.
func serverOf(m *fakeMount, signals chan os.Signal, terminal io.Writer) (*server, *bytes.Buffer) {
	var records bytes.Buffer
	return &server{
		mount:    m,
		detach:   func() error { return nil },
		signals:  signals,
		reopen:   func() error { return nil },
		log:      slog.New(slog.NewTextHandler(&records, nil)),
		terminal: terminal,
	}, &records
}

func TestServeUntilUnmounted(t *testing.T) {
	lost := errors.New("no space left")
	for _, tc := range []struct {
		err  error
		code int
	}{{nil, exitOK}, {lost, exitUnwritten}} {
		synctest.Test(t, func(t *testing.T) {
			m := &fakeMount{err: tc.err, gone: make(chan struct{})}
			v, _ := serverOf(m, nil, nil)
			go func() {
				time.Sleep(time.Hour)
				close(m.gone)
			}()
			if err := v.serve(); exitCode(err) != tc.code || !errors.Is(err, tc.err) {
				t.Errorf("serve: %v, want %v", err, tc.err)
			}
		})
	}
}

func TestServeDrainsOnSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 4)
		m := &fakeMount{drain: 150 * time.Second, gone: make(chan struct{})}
		v, records := serverOf(m, signals, nil)
		reopened := 0
		v.reopen = func() error { reopened++; return errors.New("disk full") }
		signals <- unix.SIGHUP
		signals <- unix.SIGTERM
		signals <- unix.SIGHUP
		start := time.Now()
		if err := v.serve(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if took := time.Since(start); took != m.drain {
			t.Errorf("ended after %v, not when everything was written", took)
		}
		if reopened != 2 || strings.Count(records.String(), "disk full") != 2 {
			t.Errorf("the log was opened anew %d times, want 2", reopened)
		}
		if got := strings.Count(records.String(), `msg="still writing to S3" unwritten="3.0 MiB and 2 unfinished uploads"`); got != 2 {
			t.Errorf("%d lines of progress in 150 s, want 2:\n%s", got, records)
		}
	})
}

func TestServeShowsProgressOnTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 1)
		var terminal bytes.Buffer
		m := &fakeMount{drain: time.Second, gone: make(chan struct{})}
		v, _ := serverOf(m, signals, &terminal)
		signals <- unix.SIGINT
		if err := v.serve(); err != nil {
			t.Errorf("serve: %v", err)
		}
		if out := terminal.String(); !strings.Contains(out, "writing to S3: 3.0 MiB and 2 unfinished uploads left") || !strings.HasSuffix(out, "\r\x1b[K") {
			t.Errorf("on the terminal: %q", out)
		}
	})
}

func TestServeSecondSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		signals := make(chan os.Signal, 2)
		m := &fakeMount{drain: time.Hour, gone: make(chan struct{})}
		v, _ := serverOf(m, signals, nil)
		detached := false
		v.detach = func() error { detached = true; return nil }
		go func() {
			signals <- unix.SIGTERM
			time.Sleep(time.Minute)
			signals <- unix.SIGTERM
		}()
		start := time.Now()
		err := v.serve()
		wantFailure(t, err, exitUnwritten, "3.0 MiB and 2 unfinished uploads")
		if !detached {
			t.Error("a dead mount stays behind")
		}
		if took := time.Since(start); took != time.Minute {
			t.Errorf("ended after %v", took)
		}
		close(m.gone)
	})
}
