package main

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
)

// account is the user that the process becomes once it has mounted as root.
type account struct {
	name     string
	uid, gid int
	groups   []int
	home     string
}

// accountValue is the account that an option names, by name or number.
type accountValue struct{ p **account }

func (v accountValue) String() string {
	if *v.p == nil {
		return ""
	}
	return (*v.p).name
}

func (v accountValue) Set(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return errors.New("want a user that this machine knows")
	}
	a := &account{name: u.Username, home: u.HomeDir}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("find the groups of %s: %w", a.name, err)
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("read the groups of %s: %w", a.name, err)
		}
		a.groups = append(a.groups, n)
	}
	a.uid, err = strconv.Atoi(u.Uid)
	if err == nil {
		a.gid, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		return fmt.Errorf("read the numbers of %s: %w", a.name, err)
	}
	*v.p = a
	return nil
}

// useAccount gives what nothing was said about the values that suit the
// account, and drops an account that the process has already.
func (s *settings) useAccount(euid int) error {
	a := s.account
	switch {
	case a == nil:
		return nil
	case a.uid == euid:
		s.account = nil
		return nil
	case euid != 0:
		return fail(exitUsage, "--user %s: only root can become another user", a.name)
	}
	if !s.given["uid"] {
		s.fs.UID = uint32(a.uid)
	}
	if !s.given["gid"] {
		s.fs.GID = uint32(a.gid)
	}
	if !s.given["state-dir"] {
		s.fs.StateDir = filepath.Join(a.home, ".local", "state", "s3mount")
	}
	return nil
}
