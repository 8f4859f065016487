package fs

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestCloseWaits checks which series of closes make the mount say that a journal would have
// saved the waits, and that it says so once.
func TestCloseWaits(t *testing.T) {
	for name, tc := range map[string]struct {
		files          int
		each, between  time.Duration
		parallel       int
		said           bool
		files0, waited int // of the longest series
	}{
		"one by one":  {files: 700, each: 20 * time.Millisecond, parallel: 1, said: true, files0: 700, waited: 14},
		"too few":     {files: 299, each: time.Second, parallel: 1, files0: 299, waited: 299},
		"fast server": {files: 1000, each: time.Millisecond, parallel: 1, files0: 1000, waited: 1},
		"with pauses": {files: 700, each: time.Second, between: closePause + time.Second, parallel: 1, files0: 1, waited: 1},
		"in parallel": {files: 700, each: time.Second, parallel: 16},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				c := closeWaits{log: slog.New(slog.NewTextHandler(&log, nil))}
				for done := 0; done < tc.files; done += tc.parallel {
					start := time.Now()
					for range tc.parallel {
						c.begin()
					}
					time.Sleep(tc.each)
					for range tc.parallel {
						c.end(start)
					}
					time.Sleep(tc.between)
				}
				got := c.longestSeries()
				if got.Files != tc.files0 || int(got.Waited+0.5) != tc.waited {
					t.Errorf("the longest series is %+v", got)
				}
				if n := strings.Count(log.String(), "--durability=journal"); n > 1 || (n == 1) != tc.said {
					t.Errorf("the log has it %d times: %s", n, log.String())
				}
			})
		})
	}
}

// TestCloseIsMeasured checks that closes of small new files are measured, and no others.
func TestCloseIsMeasured(t *testing.T) {
	k := newKernel(t)
	k.put("small", "text")
	k.put("large", strings.Repeat("x", 2<<20))
	k.cat("small")
	if got := k.f.stats().Closes; got.Files != 1 || got.Waited <= 0 {
		t.Errorf("measured: %+v", got)
	}
}
