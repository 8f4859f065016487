package main

import (
	"strings"
)

// runMan prints the manual page, in the macros of man(7).
func runMan(in invocation, args []string) error {
	if len(args) > 0 {
		return command{name: "man"}.tooMany(args[0])
	}
	return in.print("%s", manPage(commandEntries()))
}

// runCompletion prints the completion for a shell, written from the tables of
// options and commands.
func runCompletion(in invocation, args []string) error {
	switch {
	case len(args) == 0:
		return fail(exitUsage, "say for which shell: s3mount completion %s", strings.Join(shells(), "|"))
	case len(args) > 1:
		return command{name: "completion", args: "SHELL"}.tooMany(args[1])
	}
	switch args[0] {
	case "bash":
		return in.print("%s", bashCompletion(commandEntries()))
	case "zsh":
		return in.print("%s", zshCompletion(commandEntries()))
	case "fish":
		return in.print("%s", fishCompletion(commandEntries()))
	}
	return unknownWord("completion for", args[0], shells())
}

// runHelp shows a topic, the list of topics, or, for nothing, the text of
// --help with the topics below it.
func runHelp(in invocation, args []string) error {
	switch len(args) {
	case 0:
		if err := in.showHelp(); err != nil {
			return err
		}
		return in.print("\nTopics, for s3mount help TOPIC:\n%s", topicList())
	case 1:
		text, err := topicText(args[0])
		if err != nil {
			return err
		}
		return in.print("%s", text)
	}
	return command{name: "help", args: "[TOPIC]"}.tooMany(args[1])
}
