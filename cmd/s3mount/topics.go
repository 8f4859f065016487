package main

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"
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
