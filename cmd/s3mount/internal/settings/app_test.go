package settings

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// parseArgs parses a command line with the environment given as NAME=value.
func parseArgs(args []string, env ...string) (*Settings, string, error) {
	lookup := func(name string) (string, bool) {
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	var stdout bytes.Buffer
	s, err := Parse(Invocation{Args: append([]string{"s3mount"}, args...), Lookup: lookup, Stdout: &stdout})
	return s, stdout.String(), err
}

func TestParseOrder(t *testing.T) {
	for _, args := range []string{
		"--read-only --uid 5 bucket:p /mnt",
		"bucket:p /mnt --read-only --uid=5",
		"bucket:p --read-only -uid 5 /mnt",
		"bucket:p /mnt -o ro,uid=5",
		"-oro,uid=5 bucket:p /mnt",
		"-o ro -o uid=5 -- bucket:p /mnt",
		"--uid 7 bucket:p /mnt -o ro,uid=5",
		"-o rw,uid=7 bucket:p /mnt --uid 5 -o ro",
	} {
		s, _, err := parseArgs(strings.Fields(args), "S3MOUNT_UID=9")
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if !s.FS.ReadOnly || s.FS.UID != 5 || s.FS.Bucket != "bucket" || s.FS.Prefix != "p/" || s.FS.Source != "bucket:p" || s.Mountpoint != "/mnt" {
			t.Errorf("%s: %+v", args, s)
		}
	}
}

func TestParseEnvironment(t *testing.T) {
	s, _, err := parseArgs([]string{"bucket", "/mnt"}, "S3MOUNT_LOG_LEVEL=warn", "S3MOUNT_PATH_STYLE=1", "S3MOUNT_O=ro,nodev", "S3MOUNT_REGION=")
	if err != nil {
		t.Fatal(err)
	}
	if s.LogLevel != "warn" || s.S3.Addressing == addressingAuto || !s.FS.ReadOnly || s.S3.Region != "" {
		t.Errorf("settings %+v", s)
	}
	_, _, err = parseArgs([]string{"bucket", "/mnt"}, "S3MOUNT_MEMORY_LIMIT=lots")
	if err == nil || !strings.Contains(err.Error(), "S3MOUNT_MEMORY_LIMIT") || exit.Code(err) != exit.Usage {
		t.Errorf("error %v", err)
	}
}

func TestParseRelativePaths(t *testing.T) {
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	s, _, err := parseArgs(strings.Fields("bucket mnt --log-file log --state-dir state"))
	if err != nil {
		t.Fatal(err)
	}
	if s.Mountpoint != filepath.Join(wd, "mnt") || s.LogFile != filepath.Join(wd, "log") || s.FS.StateDir != filepath.Join(wd, "state") {
		t.Errorf("mountpoint %s, log %s, state %s", s.Mountpoint, s.LogFile, s.FS.StateDir)
	}
}

func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ args, says string }{
		{"", "name a bucket and a mountpoint"},
		{"bucket", "mountpoint is missing"},
		{"bucket /mnt more", `"more" is one argument too many`},
		{"/mnt bucket", "not a bucket"},
		{"bucket /mnt --nonsense", "--nonsense"},
		{"bucket /mnt --region", "--region needs a value"},
		{"bucket /mnt --uid x!", "--uid"},
		{"bucket /mnt -o nonsense", `unknown mount option "nonsense"`},
		{"bucket /mnt -o secret_access_key=verysecret", "credentials come from"},
		{"bucket /mnt --memory-limit 1", "--memory-limit"},
		{"bucket /mnt --cache-size 1GiB", "--cache-size 1073741824: needs --cache"},
		{"bucket /mnt --cache-min-free 0", "--cache-min-free 0: needs --cache"},
		{"bucket /mnt --cache c --cache-size 1MiB", "--cache-size 1048576: must be at least 16 MiB"},
		{"bucket /mnt --log-format xml", "text, json"},
		{"bucket /mnt --metrics here", "neither a port nor host:port"},
		{"bucket /mnt --endpoint localhost:9000", "http://"},
		{"bucket /mnt --endpoint http://", "no host"},
		{"bucket /mnt --endpoint http://key:verysecret@host", "credentials"},
		{"bucket /mnt --endpoint http://host/?x", "more than"},
		{"bucket /mnt --endpoint http://host/bucket", "ends in the bucket's name"},
		{"bucket /mnt --endpoint :", "not a URL"},
		{"bucket /mnt --no-sign-request --profile p", "contradict"},
	} {
		s, _, err := parseArgs(strings.Fields(tc.args))
		if err == nil || !strings.Contains(err.Error(), tc.says) || exit.Code(err) != exit.Usage {
			t.Errorf("%s: settings %+v, error %v (code %d), want one that says %q", tc.args, s, err, exit.Code(err), tc.says)
			continue
		}
		if strings.Contains(err.Error(), "verysecret") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: error %q", tc.args, err)
		}
	}
}

func TestHelp(t *testing.T) {
	for _, args := range []string{"--help", "-h", "--help --read-only", "bucket --help"} {
		s, out, err := parseArgs(strings.Fields(args))
		if err != nil || s != nil {
			t.Errorf("%s: settings %v, error %v", args, s, err)
		}
		for _, o := range Options() {
			name := "--" + o.Name
			if o.Name == "o" {
				name = "-o"
			}
			if shown := strings.Contains(out, "  "+name+" ") && strings.Contains(out, o.Usage); shown == o.Rare && o.Name != "foreground" {
				t.Errorf("%s shows %s: %v", args, name, shown)
			}
		}
	}
	_, out, _ := parseArgs([]string{"--help"})
	const width, height = 80, 72 // a terminal, and two screens of it
	lines := strings.Split(out, "\n")
	if len(lines) > height {
		t.Errorf("the help text has %d lines", len(lines))
	}
	for _, line := range lines {
		if len(line) > width && !strings.Contains(line, "state-dir") { // its default is a path of this user
			t.Errorf("longer than %d: %q", width, line)
		}
	}
}

func TestVersion(t *testing.T) {
	for _, args := range []string{"--version", "-V", "bucket --version"} {
		s, out, err := parseArgs(strings.Fields(args))
		if err != nil || s != nil || !strings.HasPrefix(out, "s3mount ") || strings.Count(out, "\n") != 1 {
			t.Errorf("%s: settings %v, output %q, error %v", args, s, out, err)
		}
	}
}

func TestOptionTable(t *testing.T) {
	seen := map[string]bool{}
	for _, o := range Options() {
		if seen[o.Name] || o.short != "" && seen[o.short] {
			t.Errorf("%s is there twice", o.Name)
		}
		seen[o.Name], seen[o.short] = true, true
		if o.Usage == "" || o.group == "" {
			t.Errorf("%s has no usage or group", o.Name)
		}
		if v := o.Value(Defaults()); isSwitch(v) != (o.Arg == "") {
			t.Errorf("%s: a switch has no value, anything else has one with a name", o.Name)
		}
	}
}

func TestDefaultStateDir(t *testing.T) {
	t.Setenv("HOME", "/home/joe")
	for _, tc := range []struct {
		euid      int
		xdg, want string
	}{
		{0, "/x", "/var/lib/s3mount"},
		{1000, "/x", "/x/s3mount"},
		{1000, "relative", "/home/joe/.local/state/s3mount"},
		{1000, "", "/home/joe/.local/state/s3mount"},
	} {
		if got := defaultStateDir(tc.euid, func(string) string { return tc.xdg }); got != tc.want {
			t.Errorf("defaultStateDir(%d, %q) = %s, want %s", tc.euid, tc.xdg, got, tc.want)
		}
	}
}

// TestParseZero checks that 0 is a value, not the absence of one.
func TestParseZero(t *testing.T) {
	for _, args := range []string{"--file-mode 0 --dir-mode 0", "--umask 0777", "-o umask=0777"} {
		s, _, err := parseArgs(append([]string{"bucket", "/mnt"}, strings.Fields(args)...))
		if err != nil || s.FS.FileMode != 0 || s.FS.DirMode != 0 {
			t.Errorf("%s: modes %04o and %04o, error %v", args, s.FS.FileMode, s.FS.DirMode, err)
		}
	}
	s, _, err := parseArgs(strings.Fields("bucket /mnt --deadline 0 --drain-timeout 0 --metadata-ttl 0 --cache /c --cache-min-free 0 --uid 0 --gid 0"))
	if err != nil {
		t.Fatal(err)
	}
	if d := s.S3.Defaults().Deadline; d > time.Millisecond {
		t.Errorf("--deadline 0 repeats requests for %v", d)
	}
	if s.DrainTimeout != 0 || s.FS.MetadataTTL != 0 || s.FS.CacheMinFree != 0 || s.FS.UID != 0 || s.FS.GID != 0 {
		t.Errorf("settings %+v", s)
	}
}
