package commands

import (
	"slices"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/manual"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Command is a subcommand of s3mount: a word in the place of the bucket. A bucket of the
// same name can be mounted as s3://NAME.
type Command struct {
	Name  string
	Args  string // the arguments in the help text
	Usage string // one line
	about string // the text of --help
	// Run receives the arguments after the name.
	Run func(in settings.Invocation, args []string) error
}

// All returns the commands in the order of the help text.
func All() []Command {
	return []Command{
		statusCommand(),
		topCommand(),
		syncCommand(),
		umountCommand(),
		warmCommand(),
		infoCommand(),
		restoreCommand(),
		doctorCommand(),
		{Name: "completion", Args: "SHELL", Usage: "print the completion for bash, zsh or fish", Run: runCompletion},
		{Name: "man", Usage: "print the manual page", Run: runMan},
		{Name: "help", Args: "[TOPIC]", Usage: "explain a topic, or list the topics", Run: runHelp},
	}
}

// Find returns the command that the first argument names.
func Find(args []string) (Command, bool) {
	if len(args) < 2 {
		return Command{}, false
	}
	table := All()
	i := slices.IndexFunc(table, func(c Command) bool { return c.Name == args[1] })
	if i < 0 {
		return Command{}, false
	}
	return table[i], true
}

// line returns the command's line in the help text. A tab aligns the columns.
func (c Command) line() string {
	call := c.Name
	if c.Args != "" {
		call += " " + c.Args
	}
	return call + "\t" + c.Usage
}

// tooMany returns the error of a command with too many arguments.
func (c Command) tooMany(arg string) error {
	return exit.Errorf(exit.Usage, "%q is one argument too many: s3mount %s %s", arg, c.Name, c.Args)
}

// HelpLines returns the lines of all commands for the help text.
func HelpLines() []string {
	var lines []string
	for _, c := range All() {
		lines = append(lines, c.line())
	}
	return lines
}

// commandEntries returns the commands for the manual.
func commandEntries() []manual.Entry {
	var entries []manual.Entry
	for _, c := range All() {
		entries = append(entries, manual.Entry{Name: c.Name, Args: c.Args, Usage: c.Usage})
	}
	return entries
}
