package commands

import (
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/manual"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// runMan prints the manual page, in the macros of man(7).
func runMan(in settings.Invocation, args []string) error {
	if len(args) > 0 {
		return Command{Name: "man"}.tooMany(args[0])
	}
	return in.Print("%s", manual.Page(commandEntries()))
}

// runCompletion prints the completion for a shell, which is generated from the tables of
// options and commands.
func runCompletion(in settings.Invocation, args []string) error {
	switch {
	case len(args) == 0:
		return exit.Errorf(exit.Usage, "name a shell: s3mount completion %s", strings.Join(manual.Shells(), "|"))
	case len(args) > 1:
		return Command{Name: "completion", Args: "SHELL"}.tooMany(args[1])
	}
	switch args[0] {
	case "bash":
		return in.Print("%s", manual.Bash(commandEntries()))
	case "zsh":
		return in.Print("%s", manual.Zsh(commandEntries()))
	case "fish":
		return in.Print("%s", manual.Fish(commandEntries()))
	}
	return exit.UnknownWord("completion for", args[0], manual.Shells())
}

// runHelp prints a topic. Without an argument it prints the text of --help and the list
// of topics.
func runHelp(in settings.Invocation, args []string) error {
	switch len(args) {
	case 0:
		if err := in.ShowHelp(); err != nil {
			return err
		}
		return in.Print("\nTopics, for s3mount help TOPIC:\n%s", manual.TopicList())
	case 1:
		text, err := manual.TopicText(args[0])
		if err != nil {
			return err
		}
		return in.Print("%s", text)
	}
	return Command{Name: "help", Args: "[TOPIC]"}.tooMany(args[1])
}
