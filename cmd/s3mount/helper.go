package main

import (
	"path/filepath"
	"strings"
)

// Exit codes of mount(8) for its helpers (mount(8), "EXIT STATUS").
const (
	mountExitUsage = 1
	mountExitFail  = 32
)

// mountExitCode translates an exit code of s3mount to one of mount(8).
func mountExitCode(code int) int {
	switch code {
	case exitOK:
		return exitOK
	case exitUsage:
		return mountExitUsage
	}
	return mountExitFail
}

// isHelper tells whether mount(8) called the command, by the name that a helper
// has for filesystems of type s3mount or fuse.s3mount.
func isHelper(argv0 string) bool {
	name := filepath.Base(argv0)
	return name == "mount.s3mount" || name == "mount.fuse.s3mount"
}

// parseHelper reads the command line that mount(8) gives to a helper:
//
//	mount.s3mount SPEC DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE]
//
// (mount(8), "EXTERNAL HELPERS") and rewrites it to one of s3mount's own.
func parseHelper(in invocation) (invocation, error) {
	in.helper = true
	var rest, lists []string
	args := in.args[1:]
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if len(arg) < 2 || arg[0] != '-' || strings.HasPrefix(arg, "--") {
			rest = append(rest, arg)
			continue
		}
		for j := 1; j < len(arg); j++ {
			switch letter := arg[j]; letter {
			case 's':
				in.sloppy = true
			case 'f':
				in.fake = true
			case 'n', 'v': // there is no mtab to leave alone, and nothing more to say
			case 'o', 't', 'N':
				value := arg[j+1:]
				if value == "" {
					if i++; i == len(args) {
						return in, fail(exitUsage, "-%c needs a value", letter)
					}
					value = args[i]
				}
				if letter == 'N' {
					return in, fail(exitUsage, "cannot mount into another mount namespace: enter it first, with nsenter --mount=%s", value)
				}
				if letter == 'o' {
					lists = append(lists, "-o", value)
				}
				j = len(arg)
			default:
				return in, fail(exitUsage, "unknown option -%c: this is the helper of mount(8); for s3mount's own options call s3mount", letter)
			}
		}
	}
	if len(rest) == 1 && (rest[0] == "--help" || rest[0] == "--version") {
		in.args = append(in.args[:1:1], rest...)
		return in, nil
	}
	in.args = append(append(append(in.args[:1:1], lists...), "--"), rest...)
	return in, nil
}
