package fs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestDeviceIsNotMountedOver checks that go-fuse never mounts by itself on the
// /dev/fd/N that stands for a device, which would hide /dev/fuse.
func TestDeviceIsNotMountedOver(t *testing.T) {
	o := DefaultOptions()
	if direct := o.mountOptions().DirectMount; direct != (os.Geteuid() == 0) {
		t.Errorf("without a device, DirectMount is %v", direct)
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	o.Device = null
	if o.mountOptions().DirectMount {
		t.Error("with a device, DirectMount is set")
	}
}

// TestMountpointMustBeDirectory checks that Start and Premount refuse other files,
// and that a mountpoint never looks to go-fuse like a device that is open.
func TestMountpointMustBeDirectory(t *testing.T) {
	o := DefaultOptions()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if path, err := o.directory(file); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("a file: %q, error %v", path, err)
	}
	if path, err := o.directory(file + "-absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("nothing: %q, error %v", path, err)
	}
	if _, err := Premount(file, o, 0, 0); !errors.Is(err, unix.ENOTDIR) {
		t.Errorf("Premount on a file: %v", err)
	}
	for _, name := range []string{dir, file} {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		path, err := o.directory(fmt.Sprintf("/dev/fd/%d", f.Fd()))
		if strings.HasPrefix(path, "/dev/fd") || (err == nil) != (name == dir) || err == nil && path != dir {
			t.Errorf("a descriptor of %s: %q, error %v", name, path, err)
		}
		f.Close()
	}
}
