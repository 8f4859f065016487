package commands

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/manual"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// runArgs runs a command and gives what it printed.
func runArgs(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout bytes.Buffer
	in := settings.Invocation{Args: append([]string{"s3mount"}, args...), Lookup: func(string) (string, bool) { return "", false }, Stdout: &stdout}
	c, ok := Find(in.Args)
	if !ok {
		t.Fatalf("%q is no command", args)
	}
	err := c.Run(in, in.Args[2:])
	return stdout.String(), err
}

func TestFindCommand(t *testing.T) {
	for _, args := range [][]string{{"s3mount"}, {"s3mount", "bucket", "/mnt"}, {"s3mount", "s3://help", "/mnt"}, {"s3mount", "--help"}} {
		if c, ok := Find(args); ok {
			t.Errorf("%q is taken for the command %s", args, c.Name)
		}
	}
	seen := map[string]bool{}
	for _, c := range All() {
		if seen[c.Name] || c.Usage == "" || c.Run == nil {
			t.Errorf("the command %q is there twice, or lacks something", c.Name)
		}
		seen[c.Name] = true
	}
}

func TestHelpCommand(t *testing.T) {
	text, err := runArgs(t, "help")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Usage:", "--read-only", "Topics", "  semantics "} {
		if !strings.Contains(text, want) {
			t.Errorf("s3mount help does not show %q", want)
		}
	}
	for _, args := range [][]string{{"help", "nonsense"}, {"help", "fstab", "more"}} {
		_, err := runArgs(t, args...)
		exittest.Want(t, err, exit.Usage, args[len(args)-1])
	}
}

// TestTopics checks the form of every topic: a title, an empty line, and lines
// that fit a terminal.
func TestTopics(t *testing.T) {
	for _, name := range manual.Topics() {
		text, err := runArgs(t, "help", name)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
		if len(lines) < 3 || lines[0] == "" || lines[1] != "" {
			t.Errorf("%s does not begin with a title and an empty line", name)
		}
		for _, l := range lines {
			if len(l) > 80 || strings.ContainsRune(l, '\t') || strings.TrimRight(l, " ") != l {
				t.Errorf("%s: too long, or ends in spaces, or has a tab: %q", name, l)
			}
		}
	}
}

// TestTopicsNameOptions checks that an option that a topic writes of exists.
func TestTopicsNameOptions(t *testing.T) {
	for _, name := range manual.Topics() {
		text, err := manual.TopicText(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, w := range strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \n,;:.()'\"[]=", r) }) {
			option, ok := strings.CutPrefix(w, "--")
			if !ok || option == "" {
				continue
			}
			if _, known := settings.FindOption(settings.Options(), option); !known && option != "help" && option != "version" {
				t.Errorf("%s: there is no option --%s", name, option)
			}
		}
	}
}

func TestExitCodes(t *testing.T) {
	text, err := runArgs(t, "help", "exit-codes")
	if err != nil {
		t.Fatal(err)
	}
	for code := exit.OK; code <= exit.Unwritten; code++ {
		if !strings.Contains(text, fmt.Sprintf("\n%5d  ", code)) {
			t.Errorf("exit code %d is not explained", code)
		}
	}
}
