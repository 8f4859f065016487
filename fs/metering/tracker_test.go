package metering

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestOperationNames checks that each operation has a name of its own.
func TestOperationNames(t *testing.T) {
	seen := map[string]bool{}
	for op := range operations {
		name := op.String()
		if name == "" || seen[name] {
			t.Errorf("operation %d has the name %q", op, name)
		}
		seen[name] = true
	}
}

// TestFullTable checks that requests beyond the size of the table are counted,
// and that no slot stays taken.
func TestFullTable(t *testing.T) {
	tr := NewTracker(slog.New(slog.DiscardHandler))
	var running []Observation
	for i := range uint64(2 * slots) {
		running = append(running, tr.Begin(OpRead, 2*i, i))
	}
	if n := tr.Requests().InFlight; n != slots {
		t.Errorf("%d requests are known, want %d", n, slots)
	}
	for _, v := range running {
		v.End(false)
	}
	r := tr.Requests()
	if r.InFlight != 0 || r.Operations["read"].Count != 2*slots {
		t.Errorf("at the end: %+v", r)
	}
}

// TestWatchdog checks that a request and its end are reported once, after the
// request has become older than the bound.
func TestWatchdog(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var records bytes.Buffer
		tr := NewTracker(slog.New(slog.NewTextHandler(&records, nil)))
		done := make(chan struct{})
		go tr.Watch(done, time.Minute, func(uint64) string { return "/dir/file" })
		slow := tr.Begin(OpFlush, 2, 7)
		time.Sleep(30 * time.Second)
		quick := tr.Begin(OpRead, 4, 7)
		time.Sleep(20 * time.Second)
		quick.End(false)
		if got := tr.Requests(); got.Slow != 0 || got.InFlight != 1 {
			t.Errorf("before the bound: %+v", got)
		}
		time.Sleep(100 * time.Second)
		synctest.Wait()
		if got := tr.Requests(); got.Slow != 1 || got.Oldest != 150 {
			t.Errorf("requests: %+v", got)
		}
		slow.End(false)
		close(done)
		synctest.Wait()
		text := records.String()
		if strings.Count(text, "a request is slow") != 1 || !strings.Contains(text, "op=flush path=/dir/file nodeid=7") || !strings.Contains(text, "age=1m") {
			t.Errorf("records:\n%s", text)
		}
		if strings.Count(text, `msg="a slow request was answered" op=flush age=2m30s`) != 1 || strings.Contains(text, "op=read") {
			t.Errorf("records:\n%s", text)
		}
	})
}

// BenchmarkTracker measures the cost that each request pays for being counted.
func BenchmarkTracker(b *testing.B) {
	tr := NewTracker(slog.New(slog.DiscardHandler))
	for i := uint64(0); b.Loop(); i += 2 {
		tr.Begin(OpRead, i, 1).End(false)
	}
}
