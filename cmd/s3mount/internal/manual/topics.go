package manual

import (
	"bytes"
	"embed"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

// helpFiles has one text for each topic. It is a variable because only one can
// be filled by the compiler; nobody writes to it.
//
//go:embed help/*.txt
var helpFiles embed.FS

// Topics are the names of what `s3mount help` can explain. The first line of
// a text is its title.
func Topics() []string {
	files, err := helpFiles.ReadDir("help")
	if err != nil {
		return nil // cannot be: the compiler has put it there
	}
	names := []string{ExitTopic}
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".txt"))
	}
	slices.Sort(names)
	return names
}

// ExitTopic is written from the table of exit codes.
const ExitTopic = "exit-codes"

// TopicText gives the text of a topic.
func TopicText(name string) (string, error) {
	if name == ExitTopic {
		return exitText(), nil
	}
	if !slices.Contains(Topics(), name) {
		return "", exit.UnknownWord("topic", name, Topics())
	}
	text, err := helpFiles.ReadFile("help/" + name + ".txt")
	return string(text), err
}

// topicTitle is the first line of a topic's text.
func topicTitle(name string) string {
	text, err := TopicText(name)
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
	for _, e := range exit.Codes() {
		fmt.Fprintf(&b, "%5d  %s\n", e.Code, e.Means)
	}
	b.WriteString("\nThe helper mount.s3mount has the exit codes of mount(8).\n")
	return b.String()
}

// TopicList has a line for each topic.
func TopicList() string {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	for _, name := range Topics() {
		fmt.Fprintf(w, "  %s\t%s\n", name, topicTitle(name))
	}
	_ = w.Flush() // to memory
	return b.String()
}
