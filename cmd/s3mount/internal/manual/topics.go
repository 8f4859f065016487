package manual

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// helpFiles has one text for each topic that is not generated. It is a variable
// because go:embed requires one. Nothing writes to it.
//
//go:embed help/*.txt
var helpFiles embed.FS

// Topics returns the names of the topics of s3mount help, in alphabetical order.
func Topics() []string {
	files, err := helpFiles.ReadDir("help")
	if err != nil {
		return nil // impossible: the directory is part of the program
	}
	names := []string{exitTopic, optionsTopic}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".txt"))
	}
	slices.Sort(names)
	return names
}

// These topics are generated from tables. The manual page has sections of its own for
// them.
const (
	exitTopic    = "exit-codes"
	optionsTopic = "options"
)

// TopicText returns the text of a topic. The first line is its title.
func TopicText(name string) (string, error) {
	switch name {
	case exitTopic:
		return exitText(), nil
	case optionsTopic:
		return optionsText(), nil
	}
	if !slices.Contains(Topics(), name) {
		return "", exit.UnknownWord("topic", name, Topics())
	}
	text, err := helpFiles.ReadFile("help/" + name + ".txt")
	return string(text), err
}

// topicTitle returns the first line of the text of a topic.
func topicTitle(name string) string {
	text, err := TopicText(name)
	if err != nil {
		return ""
	}
	title, _, _ := strings.Cut(text, "\n")
	return title
}

// exitText returns the topic of the exit codes.
func exitText() string {
	var b bytes.Buffer
	b.WriteString("The exit codes of s3mount\n\n")
	for _, e := range exit.Codes() {
		fmt.Fprintf(&b, "%5d  %s\n", e.Code, e.Means)
	}
	b.WriteString("\nThe helper mount.s3mount has the exit codes of mount(8).\n")
	return b.String()
}

// optionsText returns the topic of the options, with the text of each option below its
// names, because the names with their arguments are long.
func optionsText() string {
	var b strings.Builder
	b.WriteString("All options\n\n")
	b.WriteString("Each option is also an environment variable (--log-file is S3MOUNT_LOG_FILE), a\n" +
		"name for -o and /etc/fstab (log_file=) and a key of the configuration file.\n")
	for _, group := range settings.OptionGroups() {
		fmt.Fprintf(&b, "\n%s\n", group.Name)
		for _, o := range group.Options {
			fmt.Fprintf(&b, "  %s\n      %s\n", strings.TrimSpace(strings.Join(o.Flags(), ", ")+" "+o.Arg), o.Usage)
			if d := o.DefaultText(); d != "" {
				fmt.Fprintf(&b, "      default: %s\n", d)
			}
		}
	}
	return b.String()
}

// TopicList returns a line for each topic.
func TopicList() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, name := range Topics() {
		fmt.Fprintf(w, "  %s\t%s\n", name, topicTitle(name))
	}
	_ = w.Flush() // to memory
	return b.String()
}
