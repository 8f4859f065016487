package settings

import (
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
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
		s := Defaults()
		s.Account = &Account{Name: "joe", UID: 4711, GID: 4712, Home: "/home/joe"}
		s.FS.UID, s.FS.StateDir = 7, "/state"
		s.Given[tc.given] = true
		err := s.useAccount(tc.euid)
		exittest.Want(t, err, exit.Usage, tc.says)
		if err == nil && (s.FS.UID != tc.uid || s.FS.StateDir != tc.state || (s.Account == nil) != (tc.euid == 4711)) {
			t.Errorf("%+v: owner %d, state in %s, account %v", tc, s.FS.UID, s.FS.StateDir, s.Account)
		}
	}
	s := Defaults()
	err := (accountValue{&s.Account}).Set("no such user")
	if err == nil {
		t.Error("an unknown user is taken")
	}
	if err := (accountValue{&s.Account}).Set("0"); err != nil || s.Account.UID != 0 || s.Account.Name != "root" {
		t.Errorf("0: %+v, error %v", s.Account, err)
	}
}
