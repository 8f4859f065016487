package commands

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

var update = flag.Bool("update", false, "write the golden files in testdata")

// idleStatus returns the status of a mount that has done nothing yet.
func idleStatus() control.Status {
	return control.Status{Mountpoint: "/mnt/b", Source: "my-bucket", PID: 4711, Durability: "journal",
		Started: time.Unix(1000, 0), Now: time.Unix(1100, 0), Stats: fs.Stats{Memory: fs.MemoryStats{Limit: 256 << 20}}}
}

// busyStatus returns a status in which every part of the report is as wide as it gets.
func busyStatus() control.Status {
	s := idleStatus()
	s.Mountpoint, s.Source, s.Endpoint, s.ReadOnly = "/mnt/projects/measurements", "measurements-of-the-institute:raw/2026", "https://s3.eu-central-1.example.com:9000", true
	s.Now = s.Started.Add(1000 * time.Hour)
	s.Memory.Used = 255 << 20
	s.Writes = fs.WriteStats{Dirty: 1023 << 30, Files: 12345, Uploads: 128, Conflicts: 17, Recovered: 12}
	s.Journal = fs.JournalStats{Count: 123456, Bytes: 1 << 40, Oldest: 100000}
	s.Cache = fs.CacheStats{Metadata: fs.HitsMisses{Hits: 1}, Blocks: fs.HitsMisses{Hits: 2, Misses: 1}, Disk: fs.HitsMisses{Misses: 1}}
	s.Requests = metering.Requests{InFlight: 1234, Oldest: 12.3, Read: 1 << 45, Written: 1 << 44, Operations: map[string]metering.Latency{
		"setattr": {Count: 1 << 32, Errors: 999999, P50: 0.0099, P99: 99}, "read": {Count: 1 << 33, P50: 0.0005, P99: 0.25}}}
	s.Kept.Files, s.Kept.Bytes, s.Kept.Dir = 12, 1<<30, "/var/lib/s3mount/measurements/recovery"
	s.Features = []control.Feature{{Missing: true, Origin: "probe", Time: time.Date(2026, 11, 30, 12, 0, 0, 0, time.Local),
		Text: "The server ignores If-Match in DELETE; s3mount compares the version with a HEAD just before the DELETE"}}
	s.Uploads = []fs.Upload{{Key: strings.Repeat("a long directory/", 10) + "file", Size: 1023 << 20, Sent: 512 << 20}}
	for range maxShownUploads + 2 {
		s.Uploads = append(s.Uploads, fs.Upload{Key: "k", Size: 2, Sent: 1})
	}
	s.S3 = map[string]control.Calls{"CompleteMultipartUpload": {Latency: metering.Latency{Count: 1 << 30, Errors: 3, P50: 1.5, P99: 60}, Retries: 4, Sent: 1 << 40}}
	return s
}

// TestReports compares the reports with golden files. go test -update writes them.
func TestReports(t *testing.T) {
	p, err := readPrices("")
	if err != nil {
		t.Fatal(err)
	}
	idle, busy := idleStatus(), busyStatus()
	before := busy
	before.Now, before.S3, before.Requests = busy.Now.Add(-time.Second), nil, metering.Requests{Read: 1 << 44}
	for name, got := range map[string]string{
		"status-idle":    describeStatus(idle, false),
		"status-busy":    describeStatus(busy, false),
		"status-colours": describeStatus(busy, true),
		"top-idle":       describeInterval(idle, idle, p, false),
		"top-busy":       describeInterval(before, busy, p, false),
	} {
		file := filepath.Join("testdata", name+".txt")
		if *update {
			if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s differs (go test -update writes it):\n%s", file, got)
		}
		for line := range strings.Lines(got) {
			plain := strings.NewReplacer(styleBold, "", styleYellow, "", stylePlain, "").Replace(strings.TrimSuffix(line, "\n"))
			if len(plain) > reportWidth {
				t.Errorf("%s: a line of %d columns: %q", name, len(plain), plain)
			}
		}
	}
}

// TestPlainWithoutTerminal checks that a file or a pipe gets no colours.
func TestPlainWithoutTerminal(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, out := range []interface{ Write([]byte) (int, error) }{f, &strings.Builder{}} {
		if paletteFor(out) {
			t.Errorf("%T gets colours", out)
		}
	}
}

// TestTerminalColours checks that a terminal gets colours unless NO_COLOR is set.
func TestTerminalColours(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("there are no pseudo terminals on this machine: %v", err)
	}
	defer terminal.Close()
	for value, want := range map[string]palette{"": true, "1": false} {
		t.Setenv("NO_COLOR", value)
		if got := paletteFor(terminal); got != want {
			t.Errorf("NO_COLOR=%q: colours are %v, want %v", value, got, want)
		}
	}
}

func TestCutColumns(t *testing.T) {
	if got, want := cutColumns(styleBold+"übel"+stylePlain, 2), styleBold+"üb"+stylePlain; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
