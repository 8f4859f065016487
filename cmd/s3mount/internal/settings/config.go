package settings

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// The keys of a configuration file that are not options.
const (
	keyBucket     = "bucket"
	keyMountpoint = "mountpoint"
	keyMounts     = "mounts" // the table of mounts
)

// configFile is a configuration file that was read but not applied yet. It is TOML
// (https://toml.io/en/v1.0.0): keys with the names of options for all mounts, then a table
// [mounts.NAME] for each named mount.
type configFile struct {
	path   string
	common []configEntry
	mounts map[string][]configEntry
}

// configEntry is one key, with its value in the form of a command line.
type configEntry struct {
	key, value string
	line       int
}

// readConfig reads the file and checks its form. Every error names the line.
func readConfig(path string) (*configFile, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, exit.Errorf(exit.Usage, "--config: %w", err)
	}
	f := &configFile{path: path, mounts: map[string][]configEntry{}}
	// The decoder finds invalid TOML and duplicate keys. The parser below provides the
	// line and the literal text of each value, so that 0o640 stays a mode.
	var whole map[string]any
	if err := toml.Unmarshal(text, &whole); err != nil {
		var where *toml.DecodeError
		line := 0
		if errors.As(err, &where) {
			line, _ = where.Position()
		}
		return nil, f.errorAt(line, "%s", strings.TrimPrefix(err.Error(), "toml: "))
	}
	var table []string
	p := unstable.Parser{}
	p.Reset(text)
	for p.NextExpression() {
		e := p.Expression()
		name, line := configKey(&p, e)
		switch e.Kind {
		case unstable.Table:
			table = name
			err = f.addTable(name, line)
		case unstable.KeyValue:
			err = f.add(slices.Concat(table, name), e.Value(), line)
		default:
			err = f.errorAt(line, "%s: a list of tables has no meaning here", strings.Join(name, "."))
		}
		if err != nil {
			return nil, err
		}
	}
	return f, p.Error()
}

// configKey returns the words of a dotted key, and its line.
func configKey(p *unstable.Parser, e *unstable.Node) (words []string, line int) {
	for it := e.Key(); it.Next(); {
		n := it.Node()
		if words == nil {
			line = p.Shape(n.Raw).Start.Line
		}
		words = append(words, string(n.Data))
	}
	return words, line
}

// addTable begins a mount. It may have no keys.
func (f *configFile) addTable(name []string, line int) error {
	switch {
	case name[0] != keyMounts || len(name) > 2:
		return f.errorAt(line, "unknown table %q: a mount is [%s.NAME]", strings.Join(name, "."), keyMounts)
	case len(name) == 2:
		f.mounts[name[1]] = append(f.mounts[name[1]], configEntry{})
	}
	return nil
}

// add adds one key at the top or in a table of a mount.
func (f *configFile) add(name []string, value *unstable.Node, line int) error {
	key := name[len(name)-1]
	mount := ""
	switch {
	case len(name) == 1 && key != keyMounts:
	case len(name) == 3 && name[0] == keyMounts:
		mount = name[1]
	default:
		return f.errorAt(line, "unknown key %q: a mount is [%s.NAME]", strings.Join(name, "."), keyMounts)
	}
	if err := f.checkKey(key, line); err != nil {
		return err
	}
	values := []*unstable.Node{value}
	if o, ok := FindOption(Options(), key); ok && o.repeats() && value.Kind == unstable.Array {
		values = nil
		for it := value.Children(); it.Next(); {
			values = append(values, it.Node())
		}
	}
	for _, v := range values {
		switch v.Kind {
		case unstable.String, unstable.Bool, unstable.Integer:
		case unstable.Comment:
			continue
		default:
			return f.errorAt(line, "%s: want one text, number, true or false", key)
		}
		f.addEntry(mount, configEntry{key: strings.ReplaceAll(key, "_", "-"), value: string(v.Data), line: line})
	}
	return nil
}

// addEntry adds an entry of a mount, or of all mounts if mount is "".
func (f *configFile) addEntry(mount string, e configEntry) {
	if mount == "" {
		f.common = append(f.common, e)
	} else {
		f.mounts[mount] = append(f.mounts[mount], e)
	}
}

// checkKey checks that a key is the name of an option and not of a secret.
func (f *configFile) checkKey(key string, line int) error {
	if key == keyBucket || key == keyMountpoint {
		return nil
	}
	o, ok := FindOption(Options(), key)
	switch {
	case isSecret(key):
		return f.errorAt(line, "%s: keys and passwords are not allowed in this file: see s3mount help credentials", key)
	case ok && o.Name == optionConfig:
		return f.errorAt(line, "%s: a configuration file cannot name another one", key)
	case !ok || key == o.short:
		return f.errorAt(line, "unknown key %q%s", key, insteadOf(key))
	}
	return nil
}

// isSecret reports whether a key is a usual name of a secret.
func isSecret(key string) bool {
	key = strings.ReplaceAll(strings.ToLower(key), "-", "_")
	return slices.ContainsFunc([]string{"secret", "passw", "token", "access_key"}, func(word string) bool {
		return strings.Contains(key, word)
	})
}

// choose selects the mount. Without arguments the file must describe one mount. Otherwise the
// first argument is the name of a mount in the file, or a bucket. choose applies the options
// of the mount and returns the source and the mountpoint as arguments.
func (f *configFile) choose(s *Settings, args []string) ([]string, error) {
	entries := f.common
	named := false
	if len(args) > 0 {
		if _, named = f.mounts[args[0]]; named {
			entries = slices.Concat(entries, f.mounts[args[0]])
		} else if len(args) == 1 {
			return nil, exit.UnknownWord("mount in "+f.path+" named", args[0], slices.Sorted(maps.Keys(f.mounts)))
		}
	}
	bucket, mountpoint, err := f.apply(s, entries)
	if err != nil {
		return nil, err
	}
	switch {
	case named && len(args) == 1, len(args) == 0 && bucket != "":
		args = append(args, mountpoint)
	case len(args) == 0 && len(f.mounts) > 0:
		return nil, exit.Errorf(exit.Usage, "name a mount of %s: %s", f.path, text.Enumerate(slices.Sorted(maps.Keys(f.mounts))))
	case !named:
		return args, nil
	}
	if bucket == "" || args[len(args)-1] == "" {
		return nil, exit.Errorf(exit.Usage, "%s: the mount needs the keys %s and %s", f.path, keyBucket, keyMountpoint)
	}
	if named {
		// /etc/fstab contains the alias, and mount -a looks for it in the table of mounts.
		s.alias = args[0]
		return append([]string{bucket}, args[1:]...), nil
	}
	return append([]string{bucket}, args...), nil
}

// apply sets the options, and returns the values of the two keys that are not options.
func (f *configFile) apply(s *Settings, entries []configEntry) (bucket, mountpoint string, err error) {
	for _, e := range entries {
		switch e.key {
		case "": // the beginning of a table
		case keyBucket:
			bucket = e.value
		case keyMountpoint:
			if !filepath.IsAbs(e.value) {
				return "", "", f.errorAt(e.line, "%s: want an absolute path", e.key)
			}
			mountpoint = e.value
		default:
			o, _ := FindOption(Options(), e.key)
			if err := o.bind(s).Set(e.value); err != nil {
				return "", "", f.errorAt(e.line, "%s: %w", e.key, o.wrong(e.value, err))
			}
		}
	}
	return bucket, mountpoint, nil
}

// errorAt returns an error about a line, in a form that editors understand.
func (f *configFile) errorAt(line int, format string, args ...any) error {
	return exit.Errorf(exit.Usage, "%s:%d: %w", f.path, line, fmt.Errorf(format, args...))
}

// ConfigPath returns the file that the flags (from FlagsFirst) or the environment name, or
// "".
func ConfigPath(args []string, getenv func(string) (string, bool)) string {
	path := ""
	o, _ := FindOption(Options(), optionConfig)
	if value, ok := getenv(o.Env()); ok {
		path = value
	}
	for i := 0; i < len(args); i++ {
		name, value, has := strings.Cut(strings.TrimLeft(args[i], "-"), "=")
		o, ok := FindOption(Options(), name)
		if !ok || o.Arg == "" {
			continue
		}
		if !has { // FlagsFirst has checked that there is one
			i++
			value = args[i]
		}
		switch o.Name {
		case optionConfig:
			path = value
		case "o":
			entries, _ := splitMountList(value) // a later parser reports the error
			for _, e := range entries {
				if e.name == optionConfig {
					path = e.value
				}
			}
		}
	}
	return path
}
