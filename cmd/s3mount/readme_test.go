package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/commands"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

const readmeFile = "../../README.md"

// TestReadme checks that the generated parts of the README are current.
// UPDATE_README=1 in the environment writes them.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, part := range map[string]string{"options": readmeOptions(t), "commands": readmeCommands()} {
		begin, end := "<!-- "+name+": begin -->\n", "<!-- "+name+": end -->"
		before, rest, ok := strings.Cut(want, begin)
		_, after, ok2 := strings.Cut(rest, end)
		if !ok || !ok2 {
			t.Fatalf("the README has no place for the %s", name)
		}
		want = before + begin + part + end + after
	}
	if want == string(text) {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatal("the README is not current: UPDATE_README=1 go test ./cmd/s3mount")
	}
	if err := os.WriteFile(readmeFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commonOptions are the options that the README shows. s3mount help options has all.
var commonOptions = []string{"endpoint", "profile", "read-only", "allow-other", "durability", "cache", "memory-limit",
	"metadata-ttl", "open-ttl", "config"}

// readmeOptions returns the table of the common options.
func readmeOptions(t *testing.T) string {
	var b strings.Builder
	b.WriteString("\n| Option | | Default |\n|---|---|---|\n")
	for _, name := range commonOptions {
		o, ok := settings.FindOption(settings.Options(), name)
		if !ok {
			t.Fatalf("there is no option --%s", name)
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", strings.TrimSpace(strings.Join(o.Flags(), "`, `")+" "+o.Arg), o.Usage, o.DefaultText())
	}
	return b.String() + "\n"
}

// readmeCommands returns the table of the commands.
func readmeCommands() string {
	var b strings.Builder
	b.WriteString("\n| Command | |\n|---|---|\n")
	for _, c := range commands.All() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace("s3mount "+c.Name+" "+c.Args), c.Usage)
	}
	return b.String() + "\n"
}

// TestReadmeLength keeps the README short: details belong into the topics of s3mount
// help and into fs/README.md.
func TestReadmeLength(t *testing.T) {
	const most = 300
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n"); n > most {
		t.Errorf("the README has %d lines, more than %d", n, most)
	}
}

// TestReadmeTopics checks that every topic that the README names exists.
func TestReadmeTopics(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`s3mount\s+help\s+([a-z-]+)`).FindAllStringSubmatch(string(text), -1) {
		args := []string{"s3mount", "help", m[1]}
		help, _ := commands.Find(args)
		if err := help.Run(settings.Invocation{Args: args, Stdout: io.Discard}, args[2:]); err != nil {
			t.Error(err)
		}
	}
}

// TestReadmeLinks checks that the links to files of the source lead to a file.
func TestReadmeLinks(t *testing.T) {
	for _, page := range []string{readmeFile, "packaging/kubernetes/README.md"} {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\]\(([^)#]+)\)`).FindAllStringSubmatch(string(text), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s points to %s: %v", page, m[1], err)
			}
		}
	}
}

// TestReadmeOptions checks that every option that the README and the files for services
// and containers name exists.
func TestReadmeOptions(t *testing.T) {
	var text []byte
	for _, file := range []string{readmeFile, unitFile, "packaging/kubernetes/pod.yaml", "packaging/kubernetes/README.md"} {
		more, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		text = append(text, more...)
	}
	others := map[string]bool{"help": true, "version": true, "now": true, "vfs-cache-mode": true, "from-env-file": true} // of other programs
	for _, m := range regexp.MustCompile("[ `]--([a-z][a-z-]*)").FindAllStringSubmatch(string(text), -1) {
		if _, ok := settings.FindOption(settings.Options(), m[1]); !ok && !others[m[1]] {
			t.Errorf("there is no option --%s", m[1])
		}
	}
}
