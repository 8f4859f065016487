package main

import (
	"testing"
)

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
