package main

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

// TestREADME checks that the README shows the overview of RESULTS.md at 20 ms and the
// conditions of the measurement. UPDATE_README=1 writes it.
func TestREADME(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- bench: begin -->\n", "<!-- bench: end -->"
	results, err := os.ReadFile("RESULTS.md")
	if err != nil {
		t.Fatal(err)
	}
	readme, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(readme), begin)
	_, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("no place for the table in %s", path)
	}
	want := before + begin + excerpt(string(results)) + end + after
	if os.Getenv("UPDATE_README") != "" {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if !bytes.Equal(readme, []byte(want)) {
		t.Error("the table of the README is not that of RESULTS.md: UPDATE_README=1 go test ./bench")
	}
}

// excerpt returns the head of RESULTS.md and the lines of its overview for 20 ms.
func excerpt(results string) string {
	head, rest, _ := strings.Cut(results, "\n## Overview\n")
	overview, _, _ := strings.Cut(rest, "\n## ")
	var s strings.Builder
	s.WriteString("\n")
	for _, line := range strings.SplitAfter(head, "\n") {
		if strings.HasPrefix(line, "- ") {
			s.WriteString(line)
		}
	}
	s.WriteString("\n")
	for i, line := range strings.SplitAfter(overview[strings.Index(overview, "\n|")+1:], "\n") {
		if i < 2 || strings.Contains(line, "|  20 |") { // two lines are the head
			s.WriteString(line)
		}
	}
	return s.String() + "\n"
}
