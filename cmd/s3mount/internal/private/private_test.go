package private

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree makes directories (names that end in /, with their modes), links and files
// below a new directory.
type tree struct {
	t    *testing.T
	base string
}

func newTree(t *testing.T) tree {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return tree{t, base}
}

func (r tree) path(name string) string { return filepath.Join(r.base, name) }

func (r tree) mkdir(name string, mode os.FileMode) {
	r.t.Helper()
	if err := os.Mkdir(r.path(name), 0o700); err != nil {
		r.t.Fatal(err)
	}
	if err := os.Chmod(r.path(name), mode); err != nil {
		r.t.Fatal(err)
	}
}

func (r tree) link(name, target string) {
	r.t.Helper()
	if err := os.Symlink(target, r.path(name)); err != nil {
		r.t.Fatal(err)
	}
}

func (r tree) give(name string, uid int) {
	r.t.Helper()
	if err := os.Lchown(r.path(name), uid, uid); err != nil {
		r.t.Fatal(err)
	}
}

// want calls Check and Make, which must agree. says is part of the error; "" is
// none.
func (r tree) want(name, says string) {
	r.t.Helper()
	for what, call := range map[string]func(string) error{"Check": Check, "Make": Make} {
		if err := call(r.path(name)); (err == nil) != (says == "") || err != nil && !strings.Contains(err.Error(), says) {
			r.t.Errorf("%s(%s): error %v, want one that has %q", what, name, err, says)
		}
	}
	info, err := os.Lstat(r.path(name))
	if says == "" && (err != nil || info.Mode() != os.ModeDir|0o700) {
		r.t.Errorf("%s: %v, error %v", name, info, err)
	}
}

func TestLastDirectory(t *testing.T) {
	r := newTree(t)
	r.mkdir("empty and open", 0o755)
	r.mkdir("open to all", 0o777)
	r.mkdir("in use", 0o755)
	r.mkdir("in use/by somebody", 0o755)
	r.mkdir("ours", 0o700)
	r.mkdir("ours/already", 0o755)
	r.link("link", "ours")
	r.link("link to nothing", "nothing")
	if err := os.WriteFile(r.path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"new/and/deep": "", "empty and open": "", "open to all": "", "ours": "",
		"in use": "is open to other users", "link": "is a symbolic link", "link to nothing": "is a symbolic link",
		"file": "is not a directory", "file/below": "is not a directory",
	} {
		r.want(name, says)
	}
}

// TestWay checks the directories above the last one.
func TestWay(t *testing.T) {
	r := newTree(t)
	r.mkdir("theirs to write", 0o777)
	r.mkdir("theirs to write/ours", 0o700)
	r.mkdir("sticky", 0o777|os.ModeSticky)
	r.mkdir("ours", 0o755)
	r.link("relative", "ours/../ours")
	r.link("absolute", r.path("ours"))
	r.link("ours/out", "../theirs to write")
	r.link("loop", "loop")
	for name, says := range map[string]string{
		"theirs to write/ours":      "other users can write to",
		"theirs to write/ours/deep": "other users can write to",
		"sticky/new":                "", "ours/new": "", "relative/through": "", "absolute/through": "",
		"ours/out/new": "other users can write to",
		"loop/new":     "too many levels",
	} {
		r.want(name, says)
	}
}

// TestForeign checks directories and links of other users.
func TestForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give directories away")
	}
	const them = 4321
	r := newTree(t)
	r.mkdir("theirs", 0o755)
	r.mkdir("theirs/ours", 0o700)
	r.give("theirs", them)
	r.mkdir("last", 0o700)
	r.give("last", them)
	r.mkdir("sticky", 0o777|os.ModeSticky)
	r.mkdir("sticky/theirs", 0o755)
	r.give("sticky/theirs", them)
	r.mkdir("ours", 0o700)
	r.link("sticky/link", r.path("ours"))
	r.give("sticky/link", them)
	r.mkdir("group", 0o770)
	if err := os.Chown(r.path("group"), 0, them); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"theirs/ours":       fmt.Sprintf("belongs to another user (%d)", them),
		"last":              fmt.Sprintf("belongs to another user (%d)", them),
		"sticky/theirs/new": fmt.Sprintf("belongs to another user (%d)", them),
		"sticky/link/new":   fmt.Sprintf("belongs to another user (%d)", them),
		"group/new":         "other users can write to",
	} {
		r.want(name, says)
	}
}

// TestPrivateGroup checks that a user can write to directories of the group that
// is the user's own.
func TestPrivateGroup(t *testing.T) {
	if os.Geteuid() != os.Getegid() {
		t.Skip("the group of this user has another number")
	}
	r := newTree(t)
	r.mkdir("umask 002", 0o775)
	r.want("umask 002/new", "")
}
