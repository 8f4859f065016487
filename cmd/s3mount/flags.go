package main

import (
	"flag"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"
)

// optionFlag shows one option to the cli package and writes what is given for
// it into the settings.
type optionFlag struct {
	option
	v      flag.Value
	preset string // the value before anything was said
	getenv func(string) (string, bool)
	set    bool
}

var _ cli.CategorizableFlag = (*optionFlag)(nil)

// newFlags binds the table to s. A flag is set from the environment when it
// is applied, which is before the command line is read.
func newFlags(s *settings, getenv func(string) (string, bool)) []cli.Flag {
	return bindFlags(options(), s, getenv)
}

// bindFlags binds any table of options.
func bindFlags(table []option, s *settings, getenv func(string) (string, bool)) []cli.Flag {
	var flags []cli.Flag
	for _, o := range table {
		v := o.bind(s)
		flags = append(flags, &optionFlag{option: o, v: v, preset: v.String(), getenv: getenv})
	}
	return flags
}

// Apply adds the flag to set, under all its names.
func (f *optionFlag) Apply(set *flag.FlagSet) error {
	if val, ok := f.getenv(f.env()); ok && val != "" {
		if err := f.v.Set(val); err != nil {
			return fmt.Errorf("environment variable %s: %w", f.env(), err)
		}
		f.set = true
	}
	for _, name := range f.Names() {
		set.Var(f.v, name, f.usage)
	}
	return nil
}

// Names returns the long name and, if there is one, the short one.
func (f *optionFlag) Names() []string {
	if f.short == "" {
		return []string{f.name}
	}
	return []string{f.name, f.short}
}

// IsSet reports whether the environment set the flag.
func (f *optionFlag) IsSet() bool { return f.set }

// IsVisible reports that the help text shows the flag.
func (f *optionFlag) IsVisible() bool { return true }

// GetCategory returns the group of the flag in the help text.
func (f *optionFlag) GetCategory() string { return f.group }

// String is the flag's line in the help text: names, tab, meaning and default.
func (f *optionFlag) String() string {
	names := "--" + f.name
	if len(f.name) == 1 {
		names = "-" + f.name
	}
	if f.short != "" {
		names += ", -" + f.short
	}
	if f.arg != "" {
		names += " " + f.arg
	}
	line := names + "\t" + f.usage
	if f.arg != "" && f.preset != "" {
		line += " (" + f.preset + ")"
	}
	return line
}

// flagsFirst parts options from arguments, since mount(8) and people
// write options last, where the flag package does not look. Everything after --
// is an argument.
func flagsFirst(table []option, args []string) (flags, rest []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			rest = append(rest, args[i+1:]...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			rest = append(rest, arg)
			continue
		}
		if list, ok := strings.CutPrefix(arg, "-o"); ok && list != "" && list[0] != '=' {
			flags = append(flags, "-o", list) // -oro, as fusermount3 takes it
			continue
		}
		flags = append(flags, arg)
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if o, ok := findOption(table, name); !ok || o.arg == "" || hasValue {
			continue
		}
		if i++; i == len(args) {
			return nil, nil, fail(exitUsage, "%s needs a value; see s3mount --help", arg)
		}
		flags = append(flags, args[i])
	}
	return flags, rest, nil
}
