package settings

import (
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// Account is the user that the process becomes after it has mounted as root.
type Account struct {
	Name     string
	UID, GID int
	Groups   []int
	Home     string
}

// accountValue is an option that names an account, by name or number.
type accountValue struct{ p **Account }

func (v accountValue) String() string {
	if *v.p == nil {
		return ""
	}
	return (*v.p).Name
}

func (v accountValue) Set(name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		u, err = user.LookupId(name)
	}
	if err != nil {
		return errors.New("want a user that this machine knows")
	}
	a := &Account{Name: u.Username, Home: u.HomeDir}
	ids, err := u.GroupIds()
	if err != nil {
		return fmt.Errorf("find the groups of %s: %w", a.Name, err)
	}
	for _, id := range ids {
		n, err := strconv.Atoi(id)
		if err != nil {
			return fmt.Errorf("read the groups of %s: %w", a.Name, err)
		}
		a.Groups = append(a.Groups, n)
	}
	a.UID, err = strconv.Atoi(u.Uid)
	if err == nil {
		a.GID, err = strconv.Atoi(u.Gid)
	}
	if err != nil {
		return fmt.Errorf("read the numbers of %s: %w", a.Name, err)
	}
	*v.p = a
	return nil
}

// useAccount sets defaults that fit the account, for options that were not given. It drops
// the account if the process already runs as that user.
func (s *Settings) useAccount(euid int) error {
	a := s.Account
	switch {
	case a == nil:
		return nil
	case a.UID == euid:
		s.Account = nil
		return nil
	case euid != 0:
		return exit.Errorf(exit.Usage, "--user %s: only root can become another user", a.Name)
	}
	if !s.Given["uid"] {
		s.FS.UID = uint32(a.UID)
	}
	if !s.Given["gid"] {
		s.FS.GID = uint32(a.GID)
	}
	if !s.Given["state-dir"] {
		s.FS.StateDir = filepath.Join(a.Home, ".local", "state", "s3mount")
	}
	return nil
}
