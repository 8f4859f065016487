package main

import (
	"flag"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// parse reads the options in table, which may stand anywhere among the
// arguments of c, and returns the arguments. done tells that there is nothing
// more to do, as after --help.
func (c command) parse(in invocation, args []string, table []option) (rest []string, done bool, err error) {
	flags, rest, err := flagsFirst(table, args)
	if err != nil {
		return nil, false, err
	}
	if asksFor(flags, "help", "h") {
		return nil, true, c.showHelp(in, table)
	}
	app := &cli.App{
		Name: "s3mount " + c.name,
		// Options of commands are no settings of the environment.
		Flags:     bindFlags(table, &settings{given: map[string]bool{}}, func(string) (string, bool) { return "", false }),
		HideHelp:  true,
		Writer:    in.stdout,
		ErrWriter: io.Discard, // main prints the error
		Action:    func(*cli.Context) error { return nil },
		OnUsageError: func(_ *cli.Context, err error, _ bool) error {
			return fail(exitUsage, "%s; see s3mount %s --help", doubleDash(err.Error()), c.name)
		},
		ExitErrHandler: func(*cli.Context, error) {},
	}
	if err := app.Run(append([]string{"s3mount"}, flags...)); err != nil {
		return nil, false, usageError(err)
	}
	return rest, false, nil
}

// showHelp prints how the command is called.
func (c command) showHelp(in invocation, table []option) error {
	w := tabwriter.NewWriter(in.stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Usage: s3mount %s %s\n\n%s\n", c.name, c.args, c.about)
	if len(table) > 0 {
		fmt.Fprintln(w, "\nOptions:")
	}
	for _, o := range table {
		v := o.value(nil)
		fmt.Fprintf(w, "  %s\n", &optionFlag{option: o, v: v, preset: v.String()})
	}
	return w.Flush()
}

// switchOption is an option of a command that is on or off.
func switchOption(name, usage string, p *bool) option {
	return option{name: name, usage: usage, value: func(*settings) flag.Value { return boolValue{p} }}
}

// one returns the only argument of a command.
func (c command) one(args []string, what string) (string, error) {
	switch len(args) {
	case 0:
		return "", fail(exitUsage, "say %s: s3mount %s %s", what, c.name, c.args)
	case 1:
		return args[0], nil
	}
	return "", c.tooMany(args[1])
}
