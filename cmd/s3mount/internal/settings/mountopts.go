package settings

import (
	"flag"
	"fmt"
	"slices"
	"strings"
)

// mountListValue is the -o option. It sets each entry at once, so that the last value wins
// also between -o and other flags.
type mountListValue struct{ s *Settings }

func (mountListValue) String() string { return "" }

func (v mountListValue) Set(list string) error {
	entries, err := splitMountList(list)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := v.s.setMountOption(e); err != nil {
			return err
		}
	}
	return nil
}

// mountEntry is one entry of a -o list.
type mountEntry struct {
	name, value string
	hasValue    bool
}

// splitMountList splits a list at its commas. A comma inside double quotes (the syntax of
// mount(8)) or after a backslash (that of fusermount3) belongs to the value. Two backslashes
// stand for one.
func splitMountList(list string) ([]mountEntry, error) {
	var entries []mountEntry
	var word strings.Builder
	quoted := false
	end := func() {
		if word.Len() > 0 {
			name, value, has := strings.Cut(word.String(), "=")
			entries = append(entries, mountEntry{name, value, has})
		}
		word.Reset()
	}
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && i+1 < len(list) && (list[i+1] == ',' || list[i+1] == '\\'):
			i++
			word.WriteByte(list[i])
		case c == '"':
			quoted = !quoted
		case c == ',' && !quoted:
			end()
		default:
			word.WriteByte(c)
		}
	}
	if quoted {
		return nil, fmt.Errorf("a double quote is never closed")
	}
	end()
	return entries, nil
}

// setMountOption applies one entry: an option of mount(8) or of s3mount.
func (s *Settings) setMountOption(e mountEntry) error {
	if known, err := s.setGenericOption(e); known {
		return err
	}
	o, ok := findMountOption(Options(), e.name)
	if !ok {
		if s.sloppy {
			return nil
		}
		return unknownMountOption(e.name)
	}
	v := o.bind(s)
	if !e.hasValue {
		if !isSwitch(v) {
			return fmt.Errorf("%s needs a value: %s=%s", e.name, e.name, o.Arg)
		}
		e.value = "true"
	}
	if err := v.Set(e.value); err != nil {
		return fmt.Errorf("%s=%s: %w", e.name, e.value, err)
	}
	return nil
}

// setGenericOption applies an option that mount(8) defines for every filesystem (mount(8),
// "FILESYSTEM-INDEPENDENT MOUNT OPTIONS", and fstab(5)). known is false for other options.
func (s *Settings) setGenericOption(e mountEntry) (known bool, err error) {
	switch e.name {
	case "ro":
		s.FS.ReadOnly = true
	case "rw":
		s.FS.ReadOnly = false
	case "dev", "nodev", "suid", "nosuid", "exec", "noexec", "sync", "async", "dirsync":
		s.setKernelOption(e.name)
	case "remount":
		return true, fmt.Errorf("s3mount cannot remount: unmount, then mount with the new options")
	case "auto", "noauto", "defaults", "fail", "nofail", "_netdev", "comment",
		"user", "nouser", "users", "owner", "group", "helper", "uhelper",
		"default_permissions", // always on
		// Reading changes no access times, neither in S3 nor in the kernel.
		"atime", "noatime", "diratime", "nodiratime", "relatime", "norelatime",
		"strictatime", "nostrictatime", "lazytime", "nolazytime",
		"iversion", "noiversion", "mand", "nomand", "silent", "loud":
	default:
		return strings.HasPrefix(e.name, "x-") || strings.HasPrefix(e.name, "X-"), nil
	}
	return true, nil
}

// setKernelOption adds an option for the kernel and removes its opposite.
func (s *Settings) setKernelOption(name string) {
	opposite := "no" + name
	switch {
	case name == "sync":
		opposite = "async"
	case name == "async":
		opposite = "sync"
	case strings.HasPrefix(name, "no"):
		opposite = strings.TrimPrefix(name, "no")
	}
	keep := s.FS.MountOptions[:0:0]
	for _, o := range s.FS.MountOptions {
		if o != name && o != opposite {
			keep = append(keep, o)
		}
	}
	if name != "async" { // the default, for which the kernel has no name
		keep = append(keep, name)
	}
	s.FS.MountOptions = slices.Clip(keep)
}

// unknownMountOption returns the error about an unknown option.
func unknownMountOption(name string) error {
	return fmt.Errorf("unknown mount option %q%s", name, insteadOf(name))
}

// insteadOf suggests an option of s3mount for the name that another S3 filesystem uses.
func insteadOf(name string) string {
	instead := ""
	switch strings.ReplaceAll(name, "-", "_") {
	case "url", "host", "endpoint_url":
		instead = "; use endpoint=URL"
	case "use_path_request_style", "force_path_style", "path_request_style":
		instead = "; use path_style"
	case "public_bucket", "anonymous":
		instead = "; use no_sign_request"
	case "passwd_file", "access_key_id", "secret_access_key", "aws_access_key_id", "aws_secret_access_key":
		instead = "; credentials come from the AWS configuration files, environment or instance role"
	case "allow_root":
		instead = "; use allow_other"
	case "context", "fscontext", "defcontext", "rootcontext":
		instead = "; SELinux labels cannot be chosen for this filesystem"
	}
	return instead
}

// isSwitch reports whether an option can be given without a value.
func isSwitch(v flag.Value) bool {
	b, ok := v.(interface{ IsBoolFlag() bool })
	return ok && b.IsBoolFlag()
}
