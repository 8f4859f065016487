package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

func TestCheckMountpoint(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	path := func(name string) string { return filepath.Join(dir, name) }
	for _, name := range []string{"empty", "full", "with space"} {
		if err := os.Mkdir(path(name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	writeFile(t, path("full/file"), "")
	writeFile(t, path("file"), "")
	for name, to := range map[string]string{"link": "empty", "broken": "nothing"} {
		if err := os.Symlink(to, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, mountinfo string
		nonempty        bool
		says            string
	}{
		{"empty", "", false, ""},
		{"link", "", false, ""},
		{"full", "", false, `not empty (it has "file")`},
		{"full", "", true, ""},
		{"absent", "", false, "mkdir -p"},
		{"broken", "", false, "mkdir -p"},
		{"file", "", false, "not a directory"},
		{"file/x", "", false, "not a directory"},
		{"empty", "fuse.s3mount bucket", false, `already mounted, from "bucket" (fuse.s3mount)`},
		{"empty", "fuse.sshfs other", true, "already mounted"},
		{"empty", "tmpfs tmpfs", false, ""},
		{"full", "autofs systemd-1", false, ""},
		{"with space", "fuse.s3mount my\\040prefix", false, `"my prefix"`},
		{"link", "fuse.s3mount bucket", false, ""}, // mounted at the name of the link, which cannot be
	} {
		t.Run(tc.name+" "+tc.mountinfo, func(t *testing.T) {
			m := testMachine(t)
			if tc.mountinfo != "" {
				escaped := strings.ReplaceAll(path(tc.name), " ", `\040`)
				writeFile(t, m.Mountinfo, fmt.Sprintf("36 35 0:40 / %s rw,nosuid shared:1 - %s rw\n", escaped, tc.mountinfo))
			}
			healed, err := m.CheckMountpoint(t.Context(), path(tc.name), tc.nonempty)
			exittest.Want(t, err, exit.Mountpoint, tc.says)
			if healed != 0 {
				t.Errorf("healed %d mounts where there were none", healed)
			}
		})
	}
}

func TestCheckMountpointHeals(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		name   string
		dead   int   // mounts stacked there
		refuse error // what detaching says
		says   string
	}{
		{"one", 1, nil, ""},
		{"stacked", 3, nil, ""},
		{"without end", maxHeal + 1, nil, "transport endpoint is not connected"},
		{"not allowed", 1, unix.EPERM, "umount -l " + dir + " as root"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := testMachine(t)
			dead := tc.dead
			m.Stat = func(path string) (os.FileInfo, error) {
				if dead > 0 {
					return nil, &os.PathError{Op: "stat", Path: path, Err: unix.ENOTCONN}
				}
				return os.Stat(path)
			}
			m.Detach = func(_ context.Context, path string) error {
				if path != dir {
					t.Errorf("detached %s", path)
				}
				if tc.refuse == nil {
					dead--
				}
				return tc.refuse
			}
			healed, err := m.CheckMountpoint(t.Context(), dir, false)
			exittest.Want(t, err, exit.Mountpoint, tc.says)
			if tc.says == "" && healed != tc.dead {
				t.Errorf("healed %d of %d", healed, tc.dead)
			}
		})
	}
}

// TestCheckMountpointHealsRemembered checks a dead mount whose attributes the kernel still
// caches, so that only a request fails.
func TestCheckMountpointHealsRemembered(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	m := testMachine(t)
	writeFile(t, m.Mountinfo, "36 35 0:40 / "+dir+" rw - fuse.s3mount bucket rw\n")
	m.Ping = func(string) error { return unix.ENOTCONN }
	m.Detach = func(context.Context, string) error { return os.Truncate(m.Mountinfo, 0) }
	if healed, err := m.CheckMountpoint(t.Context(), dir, false); healed != 1 || err != nil {
		t.Errorf("healed %d, %v", healed, err)
	}
}

func TestCheckMountpointGivesUp(t *testing.T) {
	m := testMachine(t)
	synctest.Test(t, func(t *testing.T) {
		hang := make(chan struct{})
		m.Stat = func(string) (os.FileInfo, error) {
			<-hang
			return nil, unix.EIO
		}
		_, err := m.CheckMountpoint(t.Context(), "/mnt/hangs", false)
		exittest.Want(t, err, exit.Mountpoint, "does not answer")
		close(hang)
	})
}

func TestTopMount(t *testing.T) {
	const table = `22 27 0:21 / /sys rw,nosuid,nodev,noexec,relatime shared:7 - sysfs sysfs rw
35 27 0:30 / /mnt/b rw,relatime shared:9 - autofs systemd-1 rw,fd=30
36 35 0:40 / /mnt/b rw,nosuid,nodev shared:10 master:3 - fuse.s3mount bucket:a\134b rw,user_id=0
37 35 0:41 / /mnt/b\011c rw - tmpfs tmpfs rw
`
	for _, tc := range []struct {
		path string
		want Mount
		ok   bool
	}{
		{"/mnt/b", Mount{"/mnt/b", "fuse.s3mount", `bucket:a\b`, 0, 40, 0}, true},
		{"/mnt/b\tc", Mount{"/mnt/b\tc", "tmpfs", "tmpfs", 0, 41, -1}, true},
		{"/sys", Mount{"/sys", "sysfs", "sysfs", 0, 21, -1}, true},
		{"/mnt", Mount{}, false},
	} {
		got, ok, err := topMount(strings.NewReader(table), tc.path)
		if err != nil || ok != tc.ok || got != tc.want {
			t.Errorf("topMount(%q) = %+v, %v, %v; want %+v", tc.path, got, ok, err, tc.want)
		}
	}
}
