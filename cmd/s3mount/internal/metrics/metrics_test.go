package metrics

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// testStatus has something in every family.
func testStatus() control.Status {
	var m metering.Meter
	m.Observe(3*time.Microsecond, false)
	m.Observe(2*time.Millisecond, true)
	m.Observe(2*time.Minute, false)
	l := m.Latency()
	return control.Status{
		Program: "v1", Source: "bucket", Mountpoint: "/mnt/b", Started: time.Unix(1000, 0),
		Stats: fs.Stats{
			Requests: metering.Requests{Operations: map[string]metering.Latency{"read": l}, Read: 17},
			Cache:    fs.CacheStats{Disk: fs.HitsMisses{Hits: 5}},
			Journal:  fs.JournalStats{Count: 2},
		},
		S3: map[string]control.Calls{"GetObject": {Latency: l, Retries: 4}},
	}
}

// scrape starts a server and asks it for path.
func scrape(t *testing.T, debug bool, path string) (int, string) {
	t.Helper()
	l, err := Listen("0")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Serve(l, Options{Status: testStatus, Debug: debug, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !strings.HasPrefix(s.Addr(), "127.0.0.1:") {
		t.Errorf("listens on %s", s.Addr())
	}
	resp, err := http.Get("http://" + s.Addr() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestScrape(t *testing.T) {
	code, text := scrape(t, false, "/metrics")
	if code != http.StatusOK {
		t.Fatalf("status %d: %s", code, text)
	}
	for _, want := range []string{
		`s3mount_info{mountpoint="/mnt/b",source="bucket",version="v1"} 1`,
		`s3mount_start_time_seconds 1000`,
		`s3mount_fuse_request_duration_seconds_bucket{op="read",le="4.096e-06"} 1`,
		`s3mount_fuse_request_duration_seconds_bucket{op="read",le="0.004194304"} 2`,
		`s3mount_fuse_request_duration_seconds_bucket{op="read",le="+Inf"} 3`,
		`s3mount_fuse_request_duration_seconds_count{op="read"} 3`,
		`s3mount_fuse_request_errors_total{op="read"} 1`,
		`s3mount_fuse_read_bytes_total 17`,
		`s3mount_s3_request_retries_total{kind="GetObject"} 4`,
		`s3mount_cache_hits_total{cache="disk"} 5`,
		`s3mount_journal_entries 2`,
		`process_resident_memory_bytes`, `go_goroutines`,
	} {
		if !strings.Contains(text, "\n"+want) {
			t.Errorf("the metrics lack %s", want)
		}
	}
	for _, f := range families() {
		if !strings.Contains(text, "# TYPE "+f.name+" "+string(f.kind)+"\n") {
			t.Errorf("the metrics lack the family %s", f.name)
		}
	}
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		if strings.HasPrefix(p.Metric, "s3mount_") {
			t.Errorf("%s: %s", p.Metric, p.Text)
		}
	}
}

// TestProfiles checks that only --debug serves profiles.
func TestProfiles(t *testing.T) {
	for debug, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		if code, _ := scrape(t, debug, "/debug/pprof/goroutine?debug=1"); code != want {
			t.Errorf("profiles with debug %v: status %d, want %d", debug, code, want)
		}
	}
}

func TestAddress(t *testing.T) {
	for text, want := range map[string]string{
		"9090": "127.0.0.1:9090", ":9090": "127.0.0.1:9090", "0.0.0.0:80": "0.0.0.0:80", "[::1]:80": "[::1]:80", "localhost:1": "localhost:1",
		"": "", "x": "", "host": "", "70000": "", "host:": "", "host:http": "", "+5": "",
	} {
		got, err := Address(text)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("Address(%q) = %q, %v; want %q", text, got, err, want)
		}
	}
}

// TestDocumented checks that README.md has a row for each family, and no other rows.
func TestDocumented(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows, want []string
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for _, f := range families() {
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", f.name, f.kind, strings.Join(f.labels, ", "), f.help))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("the rows of README.md should be:\n%s", strings.Join(want, "\n"))
	}
}

// TestDashboard checks that the Grafana file is JSON and uses only existing metrics.
func TestDashboard(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "packaging", "grafana-dashboard.json"))
	if err != nil {
		t.Fatal(err)
	}
	var board struct {
		Title  string
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal(text, &board); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{"process_resident_memory_bytes": true, "process_cpu_seconds_total": true, "go_goroutines": true}
	for _, f := range families() {
		known[f.name] = true
		if f.kind == histogram {
			known[f.name+"_bucket"], known[f.name+"_count"], known[f.name+"_sum"] = true, true, true
		}
	}
	names := regexp.MustCompile(`\b(s3mount|process|go)_[a-z0-9_]+`)
	for _, p := range board.Panels {
		if p.Title == "" || len(p.Targets) == 0 {
			t.Errorf("the panel %q has no title or shows nothing", p.Title)
		}
		for _, target := range p.Targets {
			used := names.FindAllString(target.Expr, -1)
			if len(used) == 0 {
				t.Errorf("%s: %s asks for nothing of ours", p.Title, target.Expr)
			}
			for _, name := range used {
				if !known[name] {
					t.Errorf("%s: there is no %s", p.Title, name)
				}
			}
		}
	}
	if board.Title == "" || len(board.Panels) < 8 {
		t.Errorf("%q has %d panels", board.Title, len(board.Panels))
	}
}
