package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/s3mount/s3mount/fs"
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

// mountAs mounts as root, then becomes the user for good: nothing that comes
// from S3, from the network or from a program on the mount is ever handled with
// the rights of root. The mount must be taken away if it is not served.
func (s *settings) mountAs(ctx context.Context, m *machine) (*machine, error) {
	if err := m.checkFUSE(s.fs.AllowOther); err != nil {
		return nil, err
	}
	if !m.canMount {
		return nil, fail(exitFUSE, "--user needs the right to mount (CAP_SYS_ADMIN)")
	}
	if _, err := m.fusermount(); err != nil {
		return nil, fail(exitFUSE, "--user: without fusermount3 the user cannot unmount: install the package fuse3")
	}
	if _, err := m.checkMountpoint(ctx, s.mountpoint, s.nonempty); err != nil {
		return nil, err
	}
	device, err := fs.Premount(s.mountpoint, s.fs, s.account.uid, s.account.gid)
	if err != nil {
		return nil, fail(exitFUSE, "%w", err)
	}
	s.fs.Device = device
	if err := s.account.become(); err != nil {
		return nil, errors.Join(err, m.detach(ctx, s.mountpoint))
	}
	return thisMachine(), nil
}

// become makes every thread of the process one of the user, and makes sure that
// there is no way back. The functions are those of package syscall because they
// change all threads; unix.Setgroups changes only the calling one.
func (a *account) become() error {
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(a.groups) },
		func() error { return syscall.Setresgid(a.gid, a.gid, a.gid) },
		func() error { return syscall.Setresuid(a.uid, a.uid, a.uid) },
	} {
		if err := step(); err != nil {
			return fmt.Errorf("become the user %s: %w", a.name, err)
		}
	}
	if err := syscall.Setresuid(-1, 0, -1); err == nil {
		return fmt.Errorf("become the user %s: root's rights are still there", a.name)
	}
	// The AWS configuration is found by HOME, and programs that it names expect all three.
	for name, value := range map[string]string{"HOME": a.home, "USER": a.name, "LOGNAME": a.name} {
		if err := os.Setenv(name, value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	return nil
}
