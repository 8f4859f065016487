package fs

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWritesTo(t *testing.T) {
	for _, c := range []struct {
		name, info string
		want       bool
	}{
		{"open for writing", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t42\n", true},
		{"open for both", "pos:\t0\nflags:\t0100002\nmnt_id:\t29\nino:\t42\n", true},
		{"open for reading", "pos:\t0\nflags:\t0100000\nmnt_id:\t29\nino:\t42\n", false},
		{"another file", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\nino:\t421\n", false},
		{"an old kernel", "pos:\t0\nflags:\t0100001\nmnt_id:\t29\n", false},
		{"nonsense", "ino:\t42\nflags:\tx\n", false},
	} {
		if got := writesTo([]byte(c.info), 42); got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}

func TestHeldOpen(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "f"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	ino := st.Sys().(*syscall.Stat_t).Ino
	if !heldOpen(uint32(os.Getpid()), ino) {
		t.Error("a file that this process writes was not found; does this kernel (before 5.14) tell no inodes in fdinfo?")
	}
	if heldOpen(uint32(os.Getpid()), ino+1<<60) {
		t.Error("found an inode that nobody has open")
	}
	if heldOpen(1<<30, ino) {
		t.Error("found a file of a process that does not exist")
	}
}
