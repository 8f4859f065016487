package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/commands"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

const readmeFile = "../../README.md"

// TestReadme keeps the parts of the README that are written from tables in step
// with them. UPDATE_README=1 in the environment writes them.
func TestReadme(t *testing.T) {
	text, err := os.ReadFile(readmeFile)
	if err != nil {
		t.Fatal(err)
	}
	want := string(text)
	for name, part := range map[string]string{"options": readmeOptions(), "exit codes": readmeExitCodes(), "commands": readmeCommands()} {
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
		t.Fatal("the README is not in step with the tables: UPDATE_README=1 go test ./cmd/s3mount")
	}
	if err := os.WriteFile(readmeFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// readmeOptions is a table for each group of options.
func readmeOptions() string {
	var b strings.Builder
	for _, group := range settings.OptionGroups() {
		fmt.Fprintf(&b, "\n| %s | | Default |\n|---|---|---|\n", group.Name)
		for _, o := range group.Options {
			call := strings.Join(o.Flags(), "`, `")
			if o.Arg != "" {
				call += " " + o.Arg
			}
			preset := o.DefaultText()
			if preset != "" && o.Preset == "" {
				preset = "`" + preset + "`"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s |\n", call, o.Usage, preset)
		}
	}
	return b.String() + "\n"
}

func readmeCommands() string {
	var b strings.Builder
	b.WriteString("\n| Command | |\n|---|---|\n")
	for _, c := range commands.All() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", strings.TrimSpace("s3mount "+c.Name+" "+c.Args), c.Usage)
	}
	return b.String() + "\n"
}

func readmeExitCodes() string {
	var b strings.Builder
	b.WriteString("\n| Exit code | Meaning |\n|--:|---|\n")
	for _, e := range exit.Codes() {
		fmt.Fprintf(&b, "| %d | %s |\n", e.Code, e.Means)
	}
	return b.String() + "\n"
}

// TestReadmeLinks checks that what the README points to in the source is there.
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

// TestReadmeOptions checks that every option that the README and the files for
// services and containers write of exists.
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
