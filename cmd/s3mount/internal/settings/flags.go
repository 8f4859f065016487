package settings

import (
	"flag"
	"fmt"
	"io"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// ParseTable reads the options in table, which may be anywhere among the arguments of a
// command, and returns the other arguments. help reports that --help is among them.
func ParseTable(in Invocation, command string, args []string, table []Option) (rest []string, help bool, err error) {
	flags, rest, err := FlagsFirst(table, args)
	if err != nil || AsksFor(flags, "help", "h") {
		return nil, err == nil, err
	}
	app := &cli.App{
		Name: "s3mount " + command,
		// Options of commands cannot be set by environment variables.
		Flags:     bindFlags(table, &Settings{Given: map[string]bool{}}, func(string) (string, bool) { return "", false }),
		HideHelp:  true,
		Writer:    in.Stdout,
		ErrWriter: io.Discard, // main prints the error
		Action:    func(*cli.Context) error { return nil },
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return exit.Errorf(exit.Usage, "%s; see s3mount %s --help", doubleDash(err.Error()), command)
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.Run(append([]string{"s3mount"}, flags...)); err != nil {
		return nil, false, usageError(err)
	}
	return rest, false, nil
}

// HelpLine returns the line of the option in the help text of a command.
func (o Option) HelpLine() string {
	v := o.Value(nil)
	return (&optionFlag{Option: o, v: v, preset: v.String()}).String()
}

// optionFlag is a flag of the cli package that sets one option.
type optionFlag struct {
	Option
	v      flag.Value
	preset string // the default
	getenv func(string) (string, bool)
	set    bool
}

var _ cli.CategorizableFlag = (*optionFlag)(nil)

// newFlags binds the table to s. Applying a flag sets it from the environment, which happens
// before the command line is read.
func newFlags(s *Settings, getenv func(string) (string, bool)) []cli.Flag {
	return bindFlags(Options(), s, getenv)
}

// bindFlags binds a table of options to s.
func bindFlags(table []Option, s *Settings, getenv func(string) (string, bool)) []cli.Flag {
	var flags []cli.Flag
	for _, o := range table {
		v := o.bind(s)
		flags = append(flags, &optionFlag{Option: o, v: v, preset: v.String(), getenv: getenv})
	}
	return flags
}

// Apply adds the flag to set, under all its names.
func (f *optionFlag) Apply(set *flag.FlagSet) error {
	if val, ok := f.getenv(f.Env()); ok && val != "" {
		if err := f.v.Set(val); err != nil {
			return fmt.Errorf("environment variable %s: %w", f.Env(), f.wrong(val, err))
		}
		f.set = true
	}
	for _, name := range f.Names() {
		set.Var(f.v, name, f.Usage)
	}
	return nil
}

// Names returns the long name and, if there is one, the short one.
func (f *optionFlag) Names() []string {
	if f.short == "" {
		return []string{f.Name}
	}
	return []string{f.Name, f.short}
}

// IsSet reports whether the environment set the flag.
func (f *optionFlag) IsSet() bool { return f.set }

// IsVisible reports whether the help text shows the flag.
func (f *optionFlag) IsVisible() bool { return !f.Rare }

// GetCategory returns the group of the flag in the help text.
func (f *optionFlag) GetCategory() string { return f.group }

// String returns the flag's line in the help text: names, tab, meaning and default.
func (f *optionFlag) String() string {
	names := "--" + f.Name
	if len(f.Name) == 1 {
		names = "-" + f.Name
	}
	if f.short != "" {
		names += ", -" + f.short
	}
	if f.Arg != "" {
		names += " " + f.Arg
	}
	line := names + "\t" + f.Usage
	if f.Arg != "" && f.preset != "" {
		line += " (" + f.preset + ")"
	}
	return line
}

// FlagsFirst separates options from arguments, because mount(8) and people write options
// last, and the flag package stops at the first argument. Everything after -- is an
// argument.
func FlagsFirst(table []Option, args []string) (flags, rest []string, err error) {
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
			flags = append(flags, "-o", list) // -oro, which fusermount3 also accepts
			continue
		}
		flags = append(flags, arg)
		name, _, hasValue := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		if o, ok := FindOption(table, name); !ok || o.Arg == "" || hasValue {
			continue
		}
		if i++; i == len(args) {
			return nil, nil, exit.Errorf(exit.Usage, "%s needs a value; see s3mount --help", arg)
		}
		flags = append(flags, args[i])
	}
	return flags, rest, nil
}
