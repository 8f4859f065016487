package servers

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// TestReadme holds README.md to the table. UPDATE_README=1 writes it.
func TestReadme(t *testing.T) {
	const path, begin, end = "../../README.md", "<!-- servers: begin -->\n\n", "\n<!-- servers: end -->\n"
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(b), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no table of servers between %q and %q", path, begin, end)
	}
	want := Readme()
	if got == want {
		return
	}
	if os.Getenv("UPDATE_README") == "" {
		t.Fatalf("%s differs from the table of servers (UPDATE_README=1 writes it)\n--- want\n%s", path, want)
	}
	if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestTable checks that each row has the fields that the types require.
func TestTable(t *testing.T) {
	for _, s := range All {
		if s.Name == "" && (len(s.Limits) > 0 || s.Title == "") {
			t.Errorf("%+v: a server that is not tested has a title, and no limits", s)
		}
		for _, l := range s.Limits {
			if (l.Test == "") == (l.Feature == "") || l.Reason == "" || l.Feature != "" && l.Row == "" {
				t.Errorf("%s: %+v needs a test or a feature with its row, and a reason", s.Name, l)
			}
			if _, err := regexp.Compile(l.Test); err != nil {
				t.Errorf("%s: %v", s.Name, err)
			}
			if strings.Contains(l.Reason+strings.Join(alternatives(l.Replaced, l.Instead), ""), "|") {
				t.Errorf("%s: %+v would break the table in README.md", s.Name, l)
			}
		}
	}
}

// TestFind looks up limits by the full name of a test.
func TestFind(t *testing.T) {
	if l, ok := Find(Gofakes3, "TestNothing"); ok {
		t.Errorf("a test without a limit has %+v", l)
	}
	if _, ok := Find("", "TestNothing"); ok {
		t.Error("a server without a name has a limit")
	}
}
