package settings

import (
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

func TestParseHelper(t *testing.T) {
	for _, tc := range []struct {
		args         string
		want         string
		fake, sloppy bool
	}{
		{"bucket /mnt", "-- bucket /mnt", false, false},
		{"bucket /mnt -o rw,uid=5", "-o rw,uid=5 -- bucket /mnt", false, false},
		{"bucket /mnt -n -v -o rw -t fuse.s3mount", "-o rw -- bucket /mnt", false, false},
		{"bucket /mnt -sfnv -orw", "-o rw -- bucket /mnt", true, true},
		{"-fo rw bucket /mnt -o ro", "-o rw -o ro -- bucket /mnt", true, false},
		{"--help", "--help", false, false},
	} {
		got, err := ParseHelper(Invocation{Args: append([]string{"/sbin/mount.s3mount"}, strings.Fields(tc.args)...)})
		if err != nil || !slices.Equal(got.Args[1:], strings.Fields(tc.want)) || got.fake != tc.fake || got.sloppy != tc.sloppy {
			t.Errorf("%s: %q fake=%v sloppy=%v (%v), want %q", tc.args, got.Args, got.fake, got.sloppy, err, tc.want)
		}
	}
	for args, says := range map[string]string{
		"bucket /mnt -o":             "-o needs a value",
		"bucket /mnt -N /proc/1/ns":  "namespace",
		"bucket /mnt -z":             "unknown option -z",
		"bucket /mnt -o rw -o -n -t": "-t needs a value",
	} {
		if _, err := ParseHelper(Invocation{Args: append([]string{"mount.s3mount"}, strings.Fields(args)...)}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: error %v, want one that says %q", args, err, says)
		}
	}
}

func TestIsHelper(t *testing.T) {
	for argv0, want := range map[string]bool{
		"mount.s3mount": true, "/sbin/mount.s3mount": true, "/sbin/mount.fuse.s3mount": true, "s3mount": false, "/usr/bin/s3mount": false, "": false,
	} {
		if IsHelper(argv0) != want {
			t.Errorf("isHelper(%q) = %v", argv0, !want)
		}
	}
}

func TestMountExitCode(t *testing.T) {
	for code, want := range map[int]int{exit.OK: 0, exit.Usage: 1, exit.Failure: 32, exit.Bucket: 32, exit.Unwritten: 32} {
		if got := MountExitCode(code); got != want {
			t.Errorf("mountExitCode(%d) = %d, want %d", code, got, want)
		}
	}
}
