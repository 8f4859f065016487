package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"
)

// makePrivate makes sure that a directory is there which nobody but this user
// can look into: what s3mount keeps on disk is as confidential as the bucket.
// A directory that others may use is not taken over unless it is empty, since
// it may well be a place such as /tmp.
func makePrivate(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make the directory: %w", err)
	}
	// What was checked is what is changed, whatever happens to the name.
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%s is a symbolic link: name the directory itself", path)
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	dir := os.NewFile(uintptr(fd), path)
	defer dir.Close()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fmt.Errorf("look at %s: %w", path, err)
	}
	switch {
	case int(st.Uid) != os.Geteuid():
		return fmt.Errorf("%s belongs to another user (%d)", path, st.Uid)
	case st.Mode&0o077 == 0:
		return nil
	}
	if _, err := dir.Readdirnames(1); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s is open to other users: chmod 700 it, or name a directory of its own", path)
	}
	if err := unix.Fchmod(fd, 0o700); err != nil {
		return fmt.Errorf("close %s to other users: %w", path, err)
	}
	return nil
}

// makePrivateDirs does so for every directory that the settings name.
func (s *settings) makePrivateDirs() error {
	for _, d := range []struct{ flag, path string }{
		{"state-dir", s.fs.StateDir}, {"spool-dir", s.fs.SpoolDir}, {"cache", s.fs.CacheDir},
	} {
		if d.path == "" {
			continue
		}
		if err := makePrivate(d.path); err != nil {
			return fail(exitUsage, "--%s: %w", d.flag, err)
		}
	}
	return nil
}
