package commands

import (
	"flag"
	"fmt"
	"text/tabwriter"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// parse reads the options in table, which may be anywhere among the arguments of c, and
// returns the other arguments. done reports that nothing is left to do, as after --help.
func (c Command) parse(in settings.Invocation, args []string, table []settings.Option) (rest []string, done bool, err error) {
	rest, help, err := settings.ParseTable(in, c.Name, args, table)
	if err != nil || !help {
		return rest, false, err
	}
	return nil, true, c.showHelp(in, table)
}

// showHelp prints the help text of the command.
func (c Command) showHelp(in settings.Invocation, table []settings.Option) error {
	w := tabwriter.NewWriter(in.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "Usage: s3mount %s %s\n\n%s\n", c.Name, c.Args, c.about)
	if len(table) > 0 {
		fmt.Fprintln(w, "\nOptions:")
	}
	for _, o := range table {
		fmt.Fprintf(w, "  %s\n", o.HelpLine())
	}
	return w.Flush()
}

// switchOption returns an option that is on or off.
func switchOption(name, usage string, p *bool) settings.Option {
	return settings.Option{Name: name, Usage: usage, Value: func(*settings.Settings) flag.Value { return settings.Switch(p) }}
}

// one returns the only argument of a command.
func (c Command) one(args []string, what string) (string, error) {
	switch len(args) {
	case 0:
		return "", exit.Errorf(exit.Usage, "say %s: s3mount %s %s", what, c.Name, c.Args)
	case 1:
		return args[0], nil
	}
	return "", c.tooMany(args[1])
}
