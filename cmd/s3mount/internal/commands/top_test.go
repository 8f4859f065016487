package commands

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
	"github.com/s3mount/s3mount/s3"
)

func TestPrices(t *testing.T) {
	p, err := readPrices("")
	if err != nil {
		t.Fatal(err)
	}
	calls := map[string]control.Calls{
		"PutObject":  {Latency: metering.Latency{Count: 2000}, Sent: 1 << 30},
		"GetObject":  {Latency: metering.Latency{Count: 1000}, Received: 2 << 30},
		"NewRequest": {Latency: metering.Latency{Count: 500}},
	}
	if got, want := p.cost(calls), 0.01+0.0004+0.18+0.0002; math.Abs(got-want) > 1e-9 {
		t.Errorf("cost %v, want %v", got, want)
	}
	for amount, want := range map[float64]string{0: "0.00 USD", 12.345: "12.35 USD", 0.00012: "0.00012 USD", 1e-9: "under 0.000001 USD"} {
		if got := p.money(amount); got != want {
			t.Errorf("money(%v) = %q, want %q", amount, got, want)
		}
	}
	path := filepath.Join(t.TempDir(), "prices.toml")
	for text, says := range map[string]string{
		"currency = \"EUR\"\n[per_thousand]\nPutObject = 1\n": "",
		"currency = ":                                                         "read the table",
		"[per_thousand]\nPutObject = 1\n":                                     "needs currency",
		"currency = \"EUR\"\n":                                                "needs currency",
		"currency = \"EUR\"\n[per_million]\nx = 1":                            "unknown key per_million",
		"currency = \"EUR\"\n[per_thousand]\nx = -1":                          "negative",
		"currency = \"EUR\"\n[per_thousand]\nx = 1\n[per_gib]\nreceived = -1": "negative",
	} {
		putFile(t, path, text)
		_, err := readPrices(path)
		if says == "" && err != nil || says != "" && (err == nil || !strings.Contains(err.Error(), says) || exit.Code(err) != exit.Usage) {
			t.Errorf("%q: %v, want %q", text, err, says)
		}
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	_, err = readPrices(path)
	exittest.Want(t, err, exit.Usage, "--prices")
}

// readings are two readings of a mount, two seconds apart.
func readings() (before, now control.Status) {
	var requests control.Requests
	var m metering.Meter
	requests.Observe(s3.Attempt{Op: "HeadObject"})
	m.Observe(time.Second, false)
	before = control.Status{Mountpoint: "/mnt/b", Source: "bucket", Started: time.Unix(0, 0), Now: time.Unix(100, 0), S3: requests.Stats(),
		Stats: fs.Stats{Requests: metering.Requests{Operations: map[string]metering.Latency{"read": m.Latency()}, Read: 5 << 20},
			Cache: fs.CacheStats{Blocks: fs.HitsMisses{Hits: 100}}}}
	requests.Observe(s3.Attempt{Op: "PutObject", BytesSent: 4 << 20, Retry: 1})
	requests.Observe(s3.Attempt{Op: "PutObject", Err: s3.ErrTransient})
	for range 10 {
		m.Observe(time.Millisecond, false)
	}
	now = before
	now.Now, now.S3 = time.Unix(102, 0), requests.Stats()
	now.Requests = metering.Requests{Operations: map[string]metering.Latency{"read": m.Latency()}, Read: 7 << 20, InFlight: 3}
	now.Cache.Blocks = fs.HitsMisses{Hits: 103, Misses: 1}
	now.Uploads = []fs.Upload{{Key: "k", Size: 100, Sent: 50}}
	return before, now
}

func TestTopText(t *testing.T) {
	before, now := readings()
	p, err := readPrices("")
	if err != nil {
		t.Fatal(err)
	}
	text := describeInterval(before, now, p, false)
	for _, want := range []string{"read 1.0 MiB/s, write 0 B/s", "receive 0 B/s, send 2.0 MiB/s\n", "1 error and 1 retries so far",
		"reads 75.0 %", "3 in progress", "50 B of 100 B  k", "0.000010 USD so far, 0.018 USD per hour at this rate"} {
		if !strings.Contains(text, want) {
			t.Errorf("the frame lacks %q:\n%s", want, text)
		}
	}
	var rows []string
	for line := range strings.Lines(text) {
		if f := strings.Fields(line); len(f) > 4 && (f[0] == "read" || f[0] == "PutObject" || f[0] == "HeadObject") {
			rows = append(rows, strings.Join(f[:3], " "))
		}
	}
	if got := strings.Join(rows, "; "); got != "read 10 5.0; PutObject 2 1.0" {
		t.Errorf("what was asked for in the interval: %s\n%s", got, text)
	}
	// Another process under the same name: its counters are not those before.
	if text := describeInterval(now, before, p, false); strings.Contains(text, "-") && strings.Contains(text, "EiB") {
		t.Errorf("after a restart:\n%s", text)
	}
}

func TestTopFrames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, tc := range []struct {
			name   string
			w      watcher
			stop   time.Duration
			says   string
			frames int
		}{
			{"count", watcher{count: 3}, time.Hour, "", 3},
			{"interrupted", watcher{}, 5500 * time.Millisecond, "", 5},
			{"ended", watcher{}, time.Hour, "the mount has ended", 9},
		} {
			var out bytes.Buffer
			w, asked := tc.w, 0
			w.out, w.interval = &out, time.Second
			w.describe = func(_, _ control.Status) string { return "frame" }
			w.status = func(context.Context) (control.Status, error) {
				if asked++; asked > 10 {
					return control.Status{}, errors.New("gone")
				}
				return control.Status{}, nil
			}
			ctx, stop := context.WithTimeout(t.Context(), tc.stop)
			err := w.run(ctx)
			stop()
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%s: %v", tc.name, err)
			}
			if got := strings.Count(out.String(), "frame\n"); got != tc.frames {
				t.Errorf("%s: %d frames, want %d", tc.name, got, tc.frames)
			}
		}
	})
}

// TestTopTerminal checks that a frame fits the terminal, and that the screen is restored.
func TestTopTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		w := watcher{out: &out, interval: time.Second, count: 1, size: func() (int, int) { return 10, 3 },
			status:   func(context.Context) (control.Status, error) { return control.Status{}, nil },
			describe: func(_, _ control.Status) string { return "a\n" + strings.Repeat("ü", 20) + "\nc\nd\n" }}
		if err := w.run(t.Context()); err != nil {
			t.Fatal(err)
		}
		want := fmt.Sprint(enterScreen, homeCursor, "a", clearLine, "\r\n", strings.Repeat("ü", 10), clearLine, "\r\nc", clearLine, clearRest, leaveScreen)
		if out.String() != want {
			t.Errorf("drew %q, want %q", out.String(), want)
		}
	})
}

func TestTopFlags(t *testing.T) {
	for _, args := range [][]string{{"top", "/", "--interval", "1ms"}, {"top", "/", "--prices", "/does/not/exist"}, {"top", "/", "--count", "-1"}} {
		_, err := runArgs(t, args...)
		exittest.Want(t, err, exit.Usage, args[max(len(args)-2, 0)])
	}
}
