package s3test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"strings"
)

// maxRequestXML bounds the XML that the server reads: CompleteMultipartUpload
// of 10,000 parts with checksums, or 1000 keys of 1024 bytes all escaped, stay below it.
const maxRequestXML = 8 << 20

// xmlns is the name space of S3's answers.
const xmlns = "http://s3.amazonaws.com/doc/2006-03-01/"

// xmlWriter builds an answer as S3 does: also characters that XML 1.0 cannot
// hold are written, as numeric references.
type xmlWriter struct{ b bytes.Buffer }

// newXML starts a document with this root.
func newXML(root string) *xmlWriter {
	w := &xmlWriter{}
	w.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	fmt.Fprintf(&w.b, `<%s xmlns="%s">`, root, xmlns)
	return w
}

// rename gives the document another root element, unless it is an error.
func (w *xmlWriter) rename(root string) {
	doc := w.b.String()
	_, rest, _ := strings.Cut(doc, "\n<")
	old, _, named := strings.Cut(rest, " xmlns=")
	if root == "" || !named {
		return
	}
	doc = strings.Replace(doc, "<"+old+" ", "<"+root+" ", 1)
	doc = strings.TrimSuffix(doc, "</"+old+">") + "</" + root + ">"
	w.b.Reset()
	w.b.WriteString(doc)
}

// in writes an element with the children that f writes.
func (w *xmlWriter) in(name string, f func()) {
	w.b.WriteString("<" + name + ">")
	f()
	w.end(name)
}

// end closes an element.
func (w *xmlWriter) end(name string) { w.b.WriteString("</" + name + ">") }

// text writes an element that holds text.
func (w *xmlWriter) text(name, text string) {
	w.b.WriteString("<" + name + ">")
	w.escape(text)
	w.end(name)
}

// number writes an element that holds a number.
func (w *xmlWriter) number(name string, n int64) { fmt.Fprintf(&w.b, "<%s>%d</%s>", name, n, name) }

// flag writes an element that holds a truth value.
func (w *xmlWriter) flag(name string, v bool) { fmt.Fprintf(&w.b, "<%s>%t</%s>", name, v, name) }

// escape writes character data.
func (w *xmlWriter) escape(s string) {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '&':
			w.b.WriteString("&amp;")
		case c == '<':
			w.b.WriteString("&lt;")
		case c == '>':
			w.b.WriteString("&gt;")
		case c == '"':
			w.b.WriteString("&quot;")
		case c < 0x20 && c != '\t' && c != '\n':
			fmt.Fprintf(&w.b, "&#x%x;", c)
		default:
			w.b.WriteByte(c)
		}
	}
}

// parseXML decodes a request body into v.
func parseXML(body []byte, v any) error {
	if err := xml.Unmarshal(body, v); err != nil {
		return errMalformedXML()
	}
	return nil
}

// encodeKey writes a key as encoding-type=url does
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
func encodeKey(key, space string) string {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case unreserved(c) || c == '/':
			b.WriteByte(c)
		case c == ' ':
			b.WriteString(space)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// unreserved are the characters that RFC 3986 never encodes.
func unreserved(c byte) bool {
	return 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
