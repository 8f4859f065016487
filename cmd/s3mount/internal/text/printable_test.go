package text

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for s, want := range map[string]string{
		"":                         "",
		"plain ünïcödé 漢字 \u00a0":  "plain ünïcödé 漢字 \u00a0",
		"a\x1b[2Jb":                `a\x1b[2Jb`,
		"title\x1b]0;x\x07":        `title\x1b]0;x\a`,
		"c1 \u009b31m":             `c1 \u009b31m`,
		"del \x7f":                 `del \x7f`,
		"raw \x9b31m \xff":         `raw \x9b31m \xff`,
		"line\nend\r\ttab":         `line\nend\r\ttab`,
		"bidi \u202e\u2066gnp.exe": `bidi \u202e\u2066gnp.exe`,
		`back\slash`:               `back\slash`,
		"\ufffd":                   "\ufffd",
	} {
		if got := Printable(s); got != want {
			t.Errorf("Printable(%q) is %q, want %q", s, got, want)
		}
	}
	if got := Lines("a\tb\n\x1b"); got != "a\tb\n\\x1b" {
		t.Errorf("Lines: %q", got)
	}
	if got := OneLine("a\nb\x1b\n"); got != `a; b\x1b` {
		t.Errorf("OneLine: %q", got)
	}
}

func TestJSON(t *testing.T) {
	value := "del \x7f csi \u009b esc \x1b nbsp \u00a0"
	plain, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	safe := JSON(plain)
	if strings.ContainsFunc(string(safe), unicode.IsControl) {
		t.Errorf("%q has control characters", safe)
	}
	var again string
	if err := json.Unmarshal(safe, &again); err != nil || again != value {
		t.Errorf("%s is read as %q, error %v", safe, again, err)
	}
}

func FuzzPrintable(f *testing.F) {
	for _, s := range []string{"", "a\x1b[2J", "\xff\u202e\n"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := Printable(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsGraphic(r) }) {
			t.Errorf("Printable(%q) is %q", s, got)
		}
	})
}
