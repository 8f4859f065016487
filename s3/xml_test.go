package s3

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"strings"
	"testing"
)

// leaves collects the elements of a document as "parent/name=text".
func leaves(data string) ([]string, error) {
	var out []string
	err := parseXML([]byte(data), func(parent, name, text []byte) error {
		out = append(out, fmt.Sprintf("%s/%s=%s", parent, name, text))
		return nil
	})
	return out, err
}

func TestParseXML(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"plain", `<a><b>x</b></a>`, "a/b=x /a="},
		{"declaration, BOM", "\ufeff<?xml version=\"1.0\"?>\n<a/>", "/a="},
		{"namespace", `<s:a xmlns:s="http://x"><s:b>1</s:b></s:a>`, "a/b=1 /a="},
		{"attributes with >", `<a b="x>y" c='>'><d>1</d></a>`, "a/d=1 /a="},
		{"entities", `<a>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;</a>`, `/a=<>&"'AB`},
		{"unknown entity", `<a>&nbsp;&x;&</a>`, `/a=&nbsp;&x;&`},
		{"control reference", `<a>&#x1;&#0;</a>`, "/a=\x01\x00"},
		{"control raw", "<a>\x01\x7f</a>", "/a=\x01\x7f"},
		{"invalid UTF-8", "<a>\xff\xfe</a>", "/a=\xff\xfe"},
		{"cdata", `<a>x<![CDATA[<&>]]>y</a>`, `/a=x<&>y`},
		{"comment", `<a><!-- <b> --><c/></a>`, "a/c= /a="},
		{"spaces kept", `<a> x </a>`, "/a= x "},
		{"doctype", `<!DOCTYPE html><a/>`, "/a="},
		{"end tag with space", "<a\n>1</a >", "/a=1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := leaves(tt.in)
			if err != nil || strings.Join(got, " ") != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func TestParseXMLRefuses(t *testing.T) {
	for _, in := range []string{
		"", " ", "x", "<a>", "<a", "<a><b></a>", "</a>", "<a></b>", "<a/><b/>", "<a/>x", "<>", "< >x</ >",
		"<a><!-- ", "<a><![CDATA[", "<a b=\"", "<?xml", strings.Repeat("<a>", maxXMLDepth+1),
	} {
		if got, err := leaves(in); err == nil {
			t.Errorf("%q parses as %q", clip(in, 40), got)
		}
	}
}

func TestParseXMLStopsAtError(t *testing.T) {
	stop := errors.New("stop")
	err := parseXML([]byte("<a><b/><c/></a>"), func(_, name, _ []byte) error {
		if string(name) == "c" {
			t.Error("went on after an error")
		}
		return stop
	})
	if !errors.Is(err, stop) {
		t.Error(err)
	}
}

// FuzzXML holds the scanner to encoding/xml on what both accept.
func FuzzXML(f *testing.F) {
	f.Add([]byte(listSample))
	f.Add([]byte(errorBody("NoSuchKey")))
	f.Add([]byte(`<a b="x>y"><![CDATA[<&>]]>&#x41;&amp;</a>`))
	f.Add([]byte("<a>\xff&#x1;<b/></a>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		depth := 0
		err := parseXML(data, func(parent, name, text []byte) error {
			depth++
			return nil
		})
		if err != nil {
			return
		}
		if depth == 0 {
			t.Error("accepted a document without elements")
		}
		if !bytes.Contains(data, []byte("&")) {
			return
		}
		var v struct {
			Text string `xml:",chardata"`
		}
		if xml.Unmarshal(data, &v) != nil || bytes.ContainsAny(data, "\r") || bytes.Count(data, []byte("<")) != 2 {
			return
		}
		if got := rootText(data); got != v.Text {
			t.Errorf("text is %q, encoding/xml says %q", got, v.Text)
		}
	})
}

// rootText is the text of a document's root element.
func rootText(data []byte) (s string) {
	parseXML(data, func(parent, _, text []byte) error {
		if parent == nil {
			s = string(text)
		}
		return nil
	})
	return s
}

func TestXMLText(t *testing.T) {
	const s = "a<b>&\"' \t\r\nü€\U0001F600"
	b, ok := appendXMLText(nil, s)
	if !ok {
		t.Fatal("refused")
	}
	if got := rootText(fmt.Appendf(nil, "<a>%s</a>", b)); got != s {
		t.Errorf("%q became %q", s, got)
	}
	var v struct {
		Text string `xml:",chardata"`
	}
	if err := xml.Unmarshal(fmt.Appendf(nil, "<a>%s</a>", b), &v); err != nil || v.Text != s {
		t.Errorf("encoding/xml reads %q, %v", v.Text, err)
	}
	for _, s := range []string{"\x00", "a\x01", "\xff", "\ufffe", "\uffff"} {
		if _, ok := appendXMLText(nil, s); ok {
			t.Errorf("%q was accepted", s)
		}
	}
}

// Text in very many pieces takes linear time. With a copy for each piece this test
// would take hours.
func TestXMLTextInPieces(t *testing.T) {
	for _, piece := range []string{"ab<!---->", "a<![CDATA[b]]>", "&#97;b<?x?>"} {
		const n = maxDocument / 16
		var got int
		err := parseXML([]byte("<a>"+strings.Repeat(piece, n)+"</a>"), func(_, _, text []byte) error {
			got = len(text)
			return nil
		})
		noError(t, err)
		if got != 2*n {
			t.Errorf("%q: %d bytes of text, want %d", piece, got, 2*n)
		}
	}
}
