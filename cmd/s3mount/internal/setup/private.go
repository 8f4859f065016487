package setup

import (
	"fmt"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/private"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/fs"
)

// directory is a local directory that an option names.
type directory struct{ Option, Path string }

// Directories returns the local directories that the settings name.
func Directories(s *settings.Settings) []directory {
	var all []directory
	for _, d := range []directory{{"state-dir", s.FS.StateDir}, {"spool-dir", s.FS.SpoolDir}, {settings.OptionCache, s.FS.CacheDir}} {
		if d.Path != "" {
			all = append(all, d)
		}
	}
	return all
}

// Optional reports whether a mount can do without the directory after err.
func (d directory) Optional(err error) bool {
	return d.Option == settings.OptionCache && fs.CacheUnusable(err)
}

// MakePrivateDirs creates the local directories. If the disk has no room for the cache, it
// drops the cache and calls warn.
func MakePrivateDirs(s *settings.Settings, warn func(note string)) error {
	for _, d := range Directories(s) {
		err := private.Make(d.Path)
		if d.Optional(err) {
			s.FS = s.FS.WithoutCache()
			warn(fmt.Sprintf("--%s: %v; the mount has no disk cache", d.Option, err))
			continue
		}
		if err != nil {
			return exit.Errorf(exit.Usage, "--%s: %w", d.Option, err)
		}
	}
	return nil
}
