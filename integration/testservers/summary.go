package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// event is a line of go test -json (go doc test2json).
type event struct {
	Action, Test, Output string
}

// summary contains the results of the tests against one server.
type summary struct {
	passed  int
	skipped map[string]string // test to reason
	failed  map[string]string // test to output
	other   []string          // output that belongs to no test
}

// summarize reads the output of go test -json to its end.
func summarize(r io.Reader) *summary {
	s := &summary{skipped: map[string]string{}, failed: map[string]string{}}
	output := map[string][]string{}
	for d := json.NewDecoder(r); ; {
		var e event
		if err := d.Decode(&e); err != nil {
			return s // the end, or no JSON: go test has then failed
		}
		switch {
		case e.Action == "output" && e.Test == "":
			s.other = append(s.other, e.Output)
		case e.Action == "output":
			output[e.Test] = append(output[e.Test], e.Output)
		case e.Test != "":
			s.finish(e, output[e.Test])
			delete(output, e.Test)
		}
	}
}

// finish counts a test that has ended.
func (s *summary) finish(e event, output []string) {
	switch e.Action {
	case "pass":
		s.passed++
	case "skip":
		s.skipped[e.Test] = message(output)
	case "fail":
		s.failed[e.Test] = strings.Join(output, "")
	}
}

// message is the output of a test without the lines that go test adds.
func message(output []string) string {
	lines := slices.DeleteFunc(slices.Clone(output), func(l string) bool {
		return strings.HasPrefix(l, "=== ") || strings.HasPrefix(strings.TrimSpace(l), "--- ")
	})
	return strings.TrimSpace(strings.Join(lines, ""))
}

// print writes the failures with their output, the skipped tests with their reasons
// and one line of numbers.
func (s *summary) print(w io.Writer, server string, took time.Duration) {
	for _, test := range slices.Sorted(maps.Keys(s.failed)) {
		fmt.Fprint(w, s.failed[test])
	}
	if len(s.failed) == 0 && s.passed == 0 { // for example, it does not compile
		fmt.Fprint(w, strings.Join(s.other, ""))
	}
	for _, test := range slices.Sorted(maps.Keys(s.skipped)) {
		fmt.Fprintf(w, "%s: skipped: %s: %s\n", server, test, s.skipped[test])
	}
	fmt.Fprintf(w, "%s: %d passed, %d skipped, %d failed, in %v\n", server, s.passed, len(s.skipped), len(s.failed), took.Round(time.Second))
}
