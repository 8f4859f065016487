package main

import (
	"fmt"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/private"
	"github.com/s3mount/s3mount/fs"
)

// directory is a local directory that an option names.
type directory struct{ option, path string }

// directories returns the local directories that the settings name.
func directories(s *settings) []directory {
	var all []directory
	for _, d := range []directory{{"state-dir", s.fs.StateDir}, {"spool-dir", s.fs.SpoolDir}, {optionCache, s.fs.CacheDir}} {
		if d.path != "" {
			all = append(all, d)
		}
	}
	return all
}

// optional reports whether a mount can do without the directory after err.
func (d directory) optional(err error) bool { return d.option == optionCache && fs.CacheUnusable(err) }

// makePrivateDirs makes the local directories. A cache that the disk has no room for
// is left out, and warn hears of it.
func makePrivateDirs(s *settings, warn func(note string)) error {
	for _, d := range directories(s) {
		err := private.Make(d.path)
		if d.optional(err) {
			s.fs = s.fs.WithoutCache()
			warn(fmt.Sprintf("--%s: %v; the mount has no disk cache", d.option, err))
			continue
		}
		if err != nil {
			return fail(exitUsage, "--%s: %w", d.option, err)
		}
	}
	return nil
}
