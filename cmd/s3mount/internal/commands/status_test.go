package commands

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/daemon"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/setup"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/fs/metering"
)

// fakeWatched is a mounted filesystem with unsaved bytes.
type fakeWatched struct{ lost error }

func (f fakeWatched) Stats() fs.Stats {
	return fs.Stats{
		Requests: metering.Requests{Operations: map[string]metering.Latency{"read": {Count: 7, Errors: 1, P50: 0.0005, P99: 0.25}, "open": {Count: 9}}},
		Cache:    fs.CacheStats{Metadata: fs.HitsMisses{Hits: 3, Misses: 1}},
		Memory:   fs.MemoryStats{Used: 1 << 20, Limit: 4 << 20},
		Writes:   fs.WriteStats{Dirty: 1536, Files: 1, Uploads: 1, Conflicts: 1},
		Journal:  fs.JournalStats{Count: 2, Bytes: 10, Oldest: 3},
		Uploads:  []fs.Upload{{Key: "dir/a\x1b[2Jb", Size: 200, Sent: 50}},
	}
}

func (f fakeWatched) Drain(context.Context) error { return f.lost }

// mountWatched makes a machine on which a mount of f is at the path returned.
func mountWatched(t *testing.T, f fakeWatched) (*machine.Machine, string, daemon.Monitoring) {
	t.Helper()
	m := fakeMachine(t)
	dir := t.TempDir()
	t.Setenv(control.DirVariable, filepath.Join(t.TempDir(), "run"))
	putFile(t, m.Mountinfo, fmt.Sprintf("36 35 0:77 / %s rw shared:1 - fuse.s3mount bucket rw,user_id=%d,group_id=0\n", dir, os.Geteuid()))
	s := settings.Defaults()
	s.Mountpoint, s.Source.Spec = dir, "bucket"
	e := daemon.StartMonitoring(s, m, f, nil, &control.Requests{}, func() []control.Feature { return nil }, nil, slog.New(slog.DiscardHandler))
	if e.Control == nil {
		t.Fatal("there is no control socket")
	}
	t.Cleanup(func() { e.Close(nil) })
	return m, dir, e
}

func TestStatusText(t *testing.T) {
	m, dir, _ := mountWatched(t, fakeWatched{})
	s, err := statusAt(m, filepath.Join(dir, "below", "it"))
	if err != nil {
		t.Fatal(err)
	}
	text := describeStatus(s, false)
	for _, want := range []string{dir + ": bucket at AWS\n  process ", "memory    1.0 MiB of 4.0 MiB", "1.5 KiB in 1 open file, 1 upload in progress",
		"2 changes, 10 B, the oldest is 3.0 s old", "hits      names 75.0 %, reads unused, disk unused\n", "1 conflict with other writers",
		"[#####---------------] 50 B of 200 B  dir/a\\x1b[2Jb", "500 us", "250 ms"} {
		if !strings.Contains(text, want) {
			t.Errorf("the status lacks %q:\n%s", want, text)
		}
	}
	if strings.Index(text, "open ") > strings.Index(text, "read ") {
		t.Errorf("the most frequent request is not the first:\n%s", text)
	}
	for line := range strings.Lines(text) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r < ' ' }) {
			t.Errorf("a terminal would obey %q", line)
		}
	}
}

func TestShowAll(t *testing.T) {
	m, dir, _ := mountWatched(t, fakeWatched{})
	for _, asJSON := range []bool{false, true} {
		var out bytes.Buffer
		if err := showAll(m, settings.Invocation{Stdout: &out}, asJSON); err != nil {
			t.Error(err)
		}
		if !strings.Contains(out.String(), dir) || strings.HasPrefix(out.String(), "[") != asJSON {
			t.Errorf("all mounts, JSON %v:\n%s", asJSON, &out)
		}
	}
	// One that is dead is an error, and the others are shown.
	line, err := os.ReadFile(m.Mountinfo)
	if err != nil {
		t.Fatal(err)
	}
	putFile(t, m.Mountinfo, string(line)+strings.NewReplacer("0:77", "0:78", dir, "/mnt/dead").Replace(string(line)))
	var out bytes.Buffer
	exittest.Want(t, showAll(m, settings.Invocation{Stdout: &out}, false), exit.Mountpoint, "/mnt/dead: the mount does not answer on a control socket; its log says why, and mounting again heals a dead mount")
	if !strings.Contains(out.String(), dir) {
		t.Errorf("the other mount is not shown: %q", &out)
	}
	putFile(t, m.Mountinfo, "")
	out.Reset()
	if err := showAll(m, settings.Invocation{Stdout: &out}, false); err != nil || out.String() != "nothing is mounted\n" {
		t.Errorf("no mount: %q, %v", &out, err)
	}
}

func TestMountOf(t *testing.T) {
	m := fakeMachine(t)
	dir := t.TempDir()
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	putFile(t, m.Mountinfo, strings.ReplaceAll(`1 0 0:5 / DIR rw - fuse.s3mount a rw,user_id=0
2 0 0:6 / DIR/in rw - fuse.s3mount b rw,user_id=0
3 0 0:7 / DIR/over rw - fuse.s3mount c rw,user_id=0
4 0 0:8 / DIR/over rw - tmpfs tmpfs rw
5 0 0:9 / /other rw - ext4 /dev/sda rw
`, "DIR", dir))
	for path, want := range map[string]uint32{dir: 5, dir + "/x/y": 5, dir + "/in": 6, dir + "/in/z": 6, dir + "/inner": 5, link: 5} {
		if at, err := m.MountOf(path); err != nil || at.Minor != want {
			t.Errorf("%s is in %+v (%v), want 0:%d", path, at, err, want)
		}
	}
	_, err := m.MountOf("/")
	exittest.Want(t, err, exit.Mountpoint, "not in a mount of s3mount")
	_, err = m.MountOf("/does/not/exist")
	exittest.Want(t, err, exit.Mountpoint, "does not exist")
}

func TestSyncOutcome(t *testing.T) {
	for _, lost := range []error{nil, errors.New("commit \"k\": denied\nand more")} {
		m, dir, _ := mountWatched(t, fakeWatched{lost: lost})
		at, err := m.MountOf(dir)
		if err != nil {
			t.Fatal(err)
		}
		client, err := dial(at)
		if err != nil {
			t.Fatal(err)
		}
		err = syncMount(t.Context(), at, client)
		client.Close()
		if lost == nil {
			exittest.Want(t, err, exit.OK, "")
			continue
		}
		exittest.Want(t, err, exit.Unwritten, "not everything could be written to S3: commit \"k\": denied; and more")
	}
}

// TestUmountKeeps checks that nothing is unmounted while data cannot be written.
func TestUmountKeeps(t *testing.T) {
	m, dir, _ := mountWatched(t, fakeWatched{lost: errors.New("denied")})
	m.CanMount = false
	m.LookPath = func(string) (string, error) {
		t.Error("unmounts although not everything was written")
		return "", unix.ENOENT
	}
	at, err := m.MountOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	exittest.Want(t, umount(t.Context(), m, at), exit.Unwritten, "denied")
}

// TestUmountOutcome checks that the error of the end of a mount is reported once.
func TestUmountOutcome(t *testing.T) {
	m, dir, e := mountWatched(t, fakeWatched{})
	m.CanMount = false
	m.LookPath = func(string) (string, error) {
		go e.Close(daemon.NotWritten(errors.New("denied")))
		return "/bin/true", nil
	}
	at, err := m.MountOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	exittest.Want(t, umount(t.Context(), m, at), exit.Unwritten, dir+": not everything could be written to S3: denied")
}

// TestUmountBusy checks that the error names the processes that use the mount.
func TestUmountBusy(t *testing.T) {
	m, dir, _ := mountWatched(t, fakeWatched{})
	program := filepath.Join(t.TempDir(), "fusermount3")
	if err := os.WriteFile(program, []byte("#!/bin/sh\necho 'umount: target is busy' >&2\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	m.CanMount = false
	m.LookPath = func(string) (string, error) { return program, nil }
	open, err := os.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer open.Close()
	at, err := m.MountOf(dir)
	if err != nil {
		t.Fatal(err)
	}
	exittest.Want(t, umount(t.Context(), m, at), exit.Mountpoint, fmt.Sprintf("(%d)", os.Getpid()))
}

func TestCommandFlags(t *testing.T) {
	for _, args := range [][]string{{"status", "a", "b"}, {"sync"}, {"umount"}, {"sync", "--nonsense", "/"}, {"status", "--json=maybe"}} {
		_, err := runArgs(t, args...)
		exittest.Want(t, err, exit.Usage, args[0])
	}
	for _, c := range All() {
		if c.about == "" {
			continue
		}
		text, err := runArgs(t, c.Name, "--help")
		if err != nil || !strings.HasPrefix(text, "Usage: s3mount "+c.Name) {
			t.Errorf("s3mount %s --help: %q, %v", c.Name, text, err)
		}
		for line := range strings.Lines(text) {
			if len(line) > 81 {
				t.Errorf("s3mount %s --help: too long: %q", c.Name, line)
			}
		}
	}
}

// TestShowOn checks the sentence that commands show while they wait.
func TestShowOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		show := showOn(progress.Lines(func(line string) { got = append(got, line) }), "writing to S3")
		time.Sleep(progress.LineTick)
		show(control.Progress{Bytes: 1 << 20})
		if len(got) != 1 || got[0] != "writing to S3: 1.0 MiB left, 0 files in progress" {
			t.Errorf("lines %q", got)
		}
	})
}

func TestMetricsAreOpen(t *testing.T) {
	for addr, want := range map[string]bool{"": false, "9090": false, "127.0.0.1:1": false, "[::1]:1": false, "localhost:1": false,
		"0.0.0.0:1": true, "[::]:1": true, "example.com:1": true} {
		if got := setup.MetricsAreOpen(addr); got != want {
			t.Errorf("metricsAreOpen(%q) = %v", addr, got)
		}
	}
}

// TestHostileStatus checks that nothing in a status reaches a terminal that obeys
// it: another user may have made the status, and keys hold any bytes.
func TestHostileStatus(t *testing.T) {
	const bad = "x\x1b]0;owned\x07\u009b2J\n\ts3mount: forged\x7f\u202e"
	s := fakeWatched{}.Stats()
	s.Uploads[0].Key = bad
	s.Requests.Operations = map[string]metering.Latency{bad: {Count: 1}}
	status := control.Status{
		Program: bad, Source: bad, Mountpoint: bad, Endpoint: bad, Durability: bad, Stats: s,
		S3: map[string]control.Calls{bad: {Latency: metering.Latency{Count: 1}}},
	}
	prices, err := readPrices("")
	if err != nil {
		t.Fatal(err)
	}
	for name, shown := range map[string]string{"status": describeStatus(status, false), "top": describeInterval(control.Status{}, status, prices, false)} {
		for line := range strings.Lines(shown) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsGraphic(r) }) || strings.HasPrefix(line, "s3mount: forged") {
				t.Errorf("%s: a terminal would obey %q", name, line)
			}
		}
	}
	var out bytes.Buffer
	if err := (settings.Invocation{Stdout: &out}).PrintJSON(status); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && unicode.IsControl(r) }) {
		t.Errorf("JSON: a terminal would obey %q", &out)
	}
	var again control.Status
	if err := json.Unmarshal(out.Bytes(), &again); err != nil || again.Source != bad || again.Uploads[0].Key != bad {
		t.Errorf("JSON gives %q, error %v", again.Source, err)
	}
}
