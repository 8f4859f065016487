package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMakePrivate(t *testing.T) {
	base := t.TempDir()
	path := func(name string) string { return filepath.Join(base, name) }
	mkdir := func(name string, mode os.FileMode) {
		if err := os.Mkdir(path(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(path(name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mkdir("empty and open", 0o755)
	mkdir("open to all", 0o777)
	mkdir("in use", 0o755)
	mkdir("in use/by somebody", 0o755)
	mkdir("ours", 0o700)
	mkdir("ours/already", 0o755)
	for name, target := range map[string]string{"link": "ours", "link to nothing": "nothing"} {
		if err := os.Symlink(target, path(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(path("file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, says := range map[string]string{
		"new/and/deep": "", "empty and open": "", "open to all": "", "ours": "",
		"in use": "is open to other users", "link": "is a symbolic link", "link to nothing": "make the directory", "file": "make the directory",
	} {
		err := makePrivate(path(name))
		if says != "" {
			s := &settings{}
			s.fs.CacheDir = path(name)
			wantFailure(t, s.makePrivateDirs(), exitUsage, says)
			continue
		}
		info, statErr := os.Stat(path(name))
		if err != nil || statErr != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: error %v, then %v %v", name, err, info.Mode(), statErr)
		}
	}
}

func TestMakePrivateForeign(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root, to make a directory of another user")
	}
	dir := filepath.Join(t.TempDir(), "theirs")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	s := &settings{}
	s.fs.StateDir = dir
	wantFailure(t, s.makePrivateDirs(), exitUsage, "belongs to another user (65534)")
}

func TestUseAccount(t *testing.T) {
	for _, tc := range []struct {
		euid  int
		given string
		says  string
		uid   uint32
		state string
	}{
		{0, "", "", 4711, "/home/joe/.local/state/s3mount"},
		{0, "uid", "", 7, "/home/joe/.local/state/s3mount"},
		{0, "state-dir", "", 4711, "/state"},
		{4711, "", "", 7, "/state"},
		{1000, "", "only root", 0, ""},
	} {
		s := defaultSettings()
		s.account = &account{name: "joe", uid: 4711, gid: 4712, home: "/home/joe"}
		s.fs.UID, s.fs.StateDir = 7, "/state"
		s.given[tc.given] = true
		err := s.useAccount(tc.euid)
		wantFailure(t, err, exitUsage, tc.says)
		if err == nil && (s.fs.UID != tc.uid || s.fs.StateDir != tc.state || (s.account == nil) != (tc.euid == 4711)) {
			t.Errorf("%+v: owner %d, state in %s, account %v", tc, s.fs.UID, s.fs.StateDir, s.account)
		}
	}
	s := defaultSettings()
	err := (accountValue{&s.account}).Set("no such user")
	if err == nil {
		t.Error("an unknown user is taken")
	}
	if err := (accountValue{&s.account}).Set("0"); err != nil || s.account.uid != 0 || s.account.name != "root" {
		t.Errorf("0: %+v, error %v", s.account, err)
	}
}
