package main

import (
	"slices"
)

// command is something that s3mount does besides mounting: a word in the place
// of the bucket. A bucket of the same name is mounted as s3://NAME.
type command struct {
	name  string
	args  string // what follows the name, for the help text
	usage string // one line
	about string // what --help tells beside that
	// run gets the arguments after the name.
	run func(in invocation, args []string) error
}

// commands is the table, in the order of the help text.
func commands() []command {
	return []command{
		statusCommand(),
		topCommand(),
		syncCommand(),
		umountCommand(),
		warmCommand(),
		doctorCommand(),
		{name: "completion", args: "SHELL", usage: "print the completion for bash, zsh or fish", run: runCompletion},
		{name: "man", usage: "print the manual page", run: runMan},
		{name: "help", args: "[TOPIC]", usage: "explain a topic, or list the topics", run: runHelp},
	}
}

// findCommand looks for a command in the first argument.
func findCommand(args []string) (command, bool) {
	if len(args) < 2 {
		return command{}, false
	}
	table := commands()
	i := slices.IndexFunc(table, func(c command) bool { return c.name == args[1] })
	if i < 0 {
		return command{}, false
	}
	return table[i], true
}

// line is the command's line in the help text; a tab aligns the columns.
func (c command) line() string {
	call := c.name
	if c.args != "" {
		call += " " + c.args
	}
	return call + "\t" + c.usage
}

// tooMany is the error of a command that got more arguments than it takes.
func (c command) tooMany(arg string) error {
	return fail(exitUsage, "%q is one argument too many: s3mount %s %s", arg, c.name, c.args)
}

// commandLines returns the lines of all commands for the help text.
func commandLines() []string {
	var lines []string
	for _, c := range commands() {
		lines = append(lines, c.line())
	}
	return lines
}

// commandEntries returns what the manual says of the commands.
func commandEntries() []commandEntry {
	var entries []commandEntry
	for _, c := range commands() {
		entries = append(entries, commandEntry{name: c.name, args: c.args, usage: c.usage})
	}
	return entries
}
