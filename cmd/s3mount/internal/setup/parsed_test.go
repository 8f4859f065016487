package setup

import (
	"bytes"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// parsed parses a command line with the environment given as NAME=value.
func parsed(args []string, env ...string) (*settings.Settings, string, error) {
	lookup := func(name string) (string, bool) {
		for _, kv := range env {
			if value, ok := strings.CutPrefix(kv, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
	var stdout bytes.Buffer
	s, err := settings.Parse(settings.Invocation{Args: append([]string{"s3mount"}, args...), Lookup: lookup, Stdout: &stdout})
	return s, stdout.String(), err
}
