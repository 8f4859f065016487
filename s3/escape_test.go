package s3

import (
	"net/url"
	"strings"
	"testing"
)

func TestEscapeKey(t *testing.T) {
	for in, want := range map[string]string{
		"":                 "",
		"a/b-c_d.e~f":      "a/b-c_d.e~f",
		"a b+c&d=e?f#g%h":  "a%20b%2Bc%26d%3De%3Ff%23g%25h",
		"//a/./../":        "//a/./../",
		"ü\x00\xff\n":      "%C3%BC%00%FF%0A",
		"(a)!'*;:@$,[]\"<": "%28a%29%21%27%2A%3B%3A%40%24%2C%5B%5D%22%3C",
	} {
		if got := escapeKey(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestUnescapeListed(t *testing.T) {
	for in, want := range map[string]string{
		"plain/x":     "plain/x",
		"a+b":         "a b",
		"a%20b%2Bc":   "a b+c",
		"a%2Fb%2fc":   "a/b/c",
		"%FF%00%0a":   "\xff\x00\n",
		"100%":        "100%",
		"50%zz":       "50%zz",
		"%C3%BC%":     "%C3%BC%", // not all of it is encoding: none of it is
		"%E2%82%AC+%": "%E2%82%AC+%",
	} {
		if got := unescapeListed(in); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
	}
}

func TestQuery(t *testing.T) {
	q := query{{"b", "x y"}}.add("a", "").add("a", "1").add("C", "é&=")
	if got, want := q.encode(), "C=%C3%A9%26%3D&a=1&b=x%20y"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (query{{"uploads", ""}}).encode(); got != "uploads=" {
		t.Errorf("got %q", got)
	}
}

// FuzzKeyEscape checks that net/url and the decoder of listings decode an escaped key
// to the key, and that net/url would not escape it further.
func FuzzKeyEscape(f *testing.F) {
	for _, s := range []string{"a/b", "a b+c%d", "//./..", "\x00\xff\n", "ü/€", "%2B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		esc := escapeKey(key)
		if got, err := url.PathUnescape(esc); err != nil || got != key {
			t.Errorf("net/url reads %q as %q, %v", esc, got, err)
		}
		if got := unescapeListed(esc); got != key {
			t.Errorf("%q is read as %q", esc, got)
		}
		for _, form := range []string{url.QueryEscape(key), url.PathEscape(strings.ReplaceAll(key, "+", "%2B"))} {
			if strings.Contains(key, "+") || strings.Contains(key, "%") {
				form = url.QueryEscape(key)
			}
			if got := unescapeListed(form); got != key {
				t.Errorf("%q is read as %q", form, got)
			}
		}
		if u := (&url.URL{Scheme: "http", Host: "h", Path: "/b/" + key, RawPath: "/b/" + esc}); u.EscapedPath() != "/b/"+esc {
			t.Errorf("net/url sends %q for %q", u.EscapedPath(), esc)
		}
	})
}
