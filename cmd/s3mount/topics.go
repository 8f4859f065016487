package main

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/urfave/cli/v2"
)

// helpFiles has one text for each topic. It is a variable because only one can
// be filled by the compiler; nobody writes to it.
//
//go:embed help/*.txt
var helpFiles embed.FS

// topics are the names of what `s3mount help` can explain. The first line of
// a text is its title.
func topics() []string {
	files, err := helpFiles.ReadDir("help")
	if err != nil {
		return nil // cannot be: the compiler has put it there
	}
	names := []string{exitTopic}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".txt"))
	}
	slices.Sort(names)
	return names
}

// exitTopic is written from the table of exit codes.
const exitTopic = "exit-codes"

// topicText gives the text of a topic.
func topicText(name string) (string, error) {
	if name == exitTopic {
		return exitText(), nil
	}
	if !slices.Contains(topics(), name) {
		return "", unknownWord("topic", name, topics())
	}
	text, err := helpFiles.ReadFile("help/" + name + ".txt")
	return string(text), err
}

// topicTitle is the first line of a topic's text.
func topicTitle(name string) string {
	text, err := topicText(name)
	if err != nil {
		return ""
	}
	title, _, _ := strings.Cut(text, "\n")
	return title
}

// exitText is the topic of the exit codes.
func exitText() string {
	var b bytes.Buffer
	b.WriteString("The exit codes of s3mount\n\n")
	for _, e := range exitCodes() {
		fmt.Fprintf(&b, "%5d  %s\n", e.code, e.means)
	}
	b.WriteString("\nThe helper mount.s3mount has the exit codes of mount(8).\n")
	return b.String()
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

// showHelp writes the text of --help.
func (in invocation) showHelp() error {
	app := newApp(defaultSettings(), in)
	app.Action = func(c *cli.Context) error { return cli.ShowAppHelp(c) }
	return app.Run([]string{"s3mount", "--help"})
}

// topicList has a line for each topic.
func topicList() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, name := range topics() {
		fmt.Fprintf(w, "  %s\t%s\n", name, topicTitle(name))
	}
	_ = w.Flush() // to memory
	return b.String()
}
