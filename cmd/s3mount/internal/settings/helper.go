package settings

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// The exit codes of mount(8) for its helpers (mount(8), "EXIT STATUS").
const (
	mountExitUsage = 1
	mountExitFail  = 32
)

// MountExitCode translates an exit code of s3mount to one of mount(8).
func MountExitCode(code int) int {
	switch code {
	case exit.OK:
		return exit.OK
	case exit.Usage:
		return mountExitUsage
	}
	return mountExitFail
}

// IsHelper reports whether the command has the name of a helper of mount(8) for filesystems
// of type s3mount or fuse.s3mount.
func IsHelper(argv0 string) bool {
	name := filepath.Base(argv0)
	return name == "mount.s3mount" || name == "mount.fuse.s3mount"
}

// ParseHelper reads the command line that mount(8) gives to a helper:
//
//	mount.s3mount SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
//
// (mount(8), "EXTERNAL HELPERS") and converts it to a command line of s3mount.
func ParseHelper(in Invocation) (Invocation, error) {
	var lists, rest []string
	for args := in.Args[1:]; len(args) > 0; {
		arg := args[0]
		args = args[1:]
		if len(arg) < 2 || arg[0] != '-' || strings.HasPrefix(arg, "--") {
			rest = append(rest, arg)
			continue
		}
		list, left, err := in.helperLetters(arg[1:], args)
		if err != nil {
			return in, err
		}
		if list != "" {
			lists = append(lists, "-o", list)
		}
		args = left
	}
	if len(rest) == 1 && strings.HasPrefix(rest[0], "--") { // --help, --version
		in.Args = append(in.Args[:1:1], rest...)
		return in, nil
	}
	in.Args = slices.Concat(in.Args[:1], lists, []string{"--"}, rest)
	return in, nil
}

// helperLetters reads one group of letters, such as the sfo of -sfo LIST. It returns the list
// of -o, if there is one, and the remaining arguments.
func (in *Invocation) helperLetters(letters string, args []string) (list string, left []string, err error) {
	for i := range len(letters) {
		switch letter := letters[i]; letter {
		case 's':
			in.sloppy = true
		case 'f':
			in.fake = true
		case 'n', 'v': // -n and -v have no effect: s3mount writes no mtab
		case 'o', 't', 'N':
			value := letters[i+1:]
			if value == "" && len(args) == 0 {
				return "", nil, exit.Errorf(exit.Usage, "-%c needs a value", letter)
			}
			if value == "" {
				value, args = args[0], args[1:]
			}
			switch letter {
			case 'N':
				return "", nil, exit.Errorf(exit.Usage, "cannot mount into another mount namespace: enter it first, with nsenter --mount=%s", value)
			case 't': // the type is known
				value = ""
			}
			return value, args, nil
		default:
			return "", nil, exit.Errorf(exit.Usage, "unknown option -%c: this is the helper of mount(8); for s3mount's own options call s3mount", letter)
		}
	}
	return "", args, nil
}
