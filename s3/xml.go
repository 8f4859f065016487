package s3

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"unicode/utf8"
)

// maxXMLDepth is the deepest accepted nesting. Answers of S3 have at most five levels.
const maxXMLDepth = 32

var errXMLTruncated = errors.New("document ends early")

// xmlElement is called at the end of every element with the names of its parent and
// itself, without namespace prefixes, and its character data. It must not keep the
// slices.
type xmlElement func(parent, name, text []byte) error

// parseXML calls f for the elements of a document. It accepts more than XML allows,
// because keys may contain it: control characters, raw or as references, and invalid
// UTF-8. It does not expand the entities of a DTD.
func parseXML(data []byte, f xmlElement) error {
	s := xmlScanner{data: data}
	return s.walk(f)
}

// walk parses the whole document. During a call of f, depth is the number of elements
// that enclose the ending one.
func (s *xmlScanner) walk(f xmlElement) error {
	for {
		done, err := s.step(f)
		if err != nil {
			return fmt.Errorf("parse XML at byte %d: %w", s.pos, err)
		}
		if done {
			return nil
		}
	}
}

type xmlScanner struct {
	data  []byte
	pos   int
	depth int
	names [maxXMLDepth][]byte // names of the open elements
	text  []byte              // character data since the last tag
	buf   []byte              // buffer for text that is not a slice of data
	own   bool                // text is in buf
	root  bool                // the root element has ended
}

// step parses a run of text or one piece of markup.
func (s *xmlScanner) step(f xmlElement) (done bool, err error) {
	rest := s.data[s.pos:]
	if len(rest) == 0 {
		if !s.root {
			return false, errXMLTruncated
		}
		return true, nil
	}
	if rest[0] != '<' {
		n := bytes.IndexByte(rest, '<')
		if n < 0 {
			n = len(rest)
		}
		s.pos += n
		return false, s.addText(rest[:n])
	}
	if len(rest) == 1 {
		return false, errXMLTruncated
	}
	switch rest[1] {
	case '/':
		return false, s.endTag(rest, f)
	case '?':
		return false, s.skipPast("?>")
	case '!':
		return false, s.declaration(rest)
	}
	return false, s.startTag(rest, f)
}

// declaration skips a comment or a document type, and adds CDATA to the text.
func (s *xmlScanner) declaration(rest []byte) error {
	switch {
	case bytes.HasPrefix(rest, []byte("<!--")):
		return s.skipPast("-->")
	case bytes.HasPrefix(rest, []byte("<![CDATA[")):
		return s.cdata(rest)
	}
	return s.skipPast(">")
}

func (s *xmlScanner) skipPast(mark string) error {
	n := bytes.Index(s.data[s.pos:], []byte(mark))
	if n < 0 {
		return errXMLTruncated
	}
	s.pos += n + len(mark)
	return nil
}

func (s *xmlScanner) cdata(rest []byte) error {
	const open = len("<![CDATA[")
	n := bytes.Index(rest, []byte("]]>"))
	if n < open {
		return errXMLTruncated
	}
	s.pos += n + 3
	s.grow()
	s.buf = append(s.buf, rest[open:n]...)
	s.text = s.buf
	return nil
}

func (s *xmlScanner) startTag(rest []byte, f xmlElement) error {
	end := tagEnd(rest)
	if end < 0 {
		return errXMLTruncated
	}
	if s.root && s.depth == 0 {
		return errors.New("second root element")
	}
	if s.depth == maxXMLDepth {
		return errors.New("nested too deep")
	}
	tag := rest[1:end]
	s.pos += end + 1
	closed := len(tag) > 0 && tag[len(tag)-1] == '/'
	if closed {
		tag = tag[:len(tag)-1]
	}
	name := localName(tag)
	if len(name) == 0 {
		return errors.New("element without a name")
	}
	s.names[s.depth] = name
	s.depth++
	s.text, s.own = nil, false
	if closed {
		return s.close(f)
	}
	return nil
}

// tagEnd returns the index of the '>' of a tag, outside of quoted attribute values.
func tagEnd(rest []byte) int {
	n := bytes.IndexByte(rest, '>')
	if n < 0 || bytes.IndexByte(rest[:n], '"') < 0 && bytes.IndexByte(rest[:n], '\'') < 0 {
		return n
	}
	var quote byte
	for i, c := range rest {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"' || c == '\'':
			quote = c
		case c == '>':
			return i
		}
	}
	return -1
}

func (s *xmlScanner) endTag(rest []byte, f xmlElement) error {
	end := bytes.IndexByte(rest, '>')
	if end < 0 {
		return errXMLTruncated
	}
	s.pos += end + 1
	name := localName(rest[2:end])
	if s.depth == 0 || !bytes.Equal(name, s.names[s.depth-1]) {
		return fmt.Errorf("unexpected end of element %q", clip(string(name), 40))
	}
	return s.close(f)
}

func (s *xmlScanner) close(f xmlElement) error {
	s.depth--
	var parent []byte
	if s.depth > 0 {
		parent = s.names[s.depth-1]
	} else {
		s.root = true
	}
	err := f(parent, s.names[s.depth], s.text)
	s.text, s.own = nil, false
	return err
}

// localName returns the name in a tag without its namespace prefix and attributes.
func localName(tag []byte) []byte {
	start := 0
	for i, c := range tag {
		switch c {
		case ':':
			start = i + 1
		case ' ', '\t', '\r', '\n':
			return tag[start:i]
		}
	}
	return tag[start:]
}

// addText appends character data and resolves its references. It does not copy a single
// run without references, which is the most common case.
func (s *xmlScanner) addText(run []byte) error {
	if s.depth == 0 {
		if len(bytes.TrimSpace(bytes.TrimPrefix(run, []byte("\ufeff")))) > 0 {
			return errors.New("text outside the root element")
		}
		return nil
	}
	if len(s.text) == 0 && bytes.IndexByte(run, '&') < 0 {
		s.text = run
		return nil
	}
	s.grow()
	for len(run) > 0 {
		i := bytes.IndexByte(run, '&')
		if i < 0 {
			s.buf = append(s.buf, run...)
			break
		}
		s.buf = append(s.buf, run[:i]...)
		run = run[i:]
		n := 0
		s.buf, n = appendReference(s.buf, run)
		run = run[n:]
	}
	s.text = s.buf
	return nil
}

// grow moves text to buf unless it is already there, so that text in many pieces, such
// as between comments, is copied only once.
func (s *xmlScanner) grow() {
	if !s.own {
		s.buf, s.own = append(s.buf[:0], s.text...), true
	}
}

// maxReference is the length of the longest accepted reference, "&#x0010FFFF;".
const maxReference = 12

// appendReference appends the character of the reference at the start of run and
// returns the length of the reference. It appends unknown references unchanged.
func appendReference(dst, run []byte) ([]byte, int) {
	end := bytes.IndexByte(run[:min(len(run), maxReference)], ';')
	if end < 2 {
		return append(dst, '&'), 1
	}
	switch name := string(run[1:end]); name {
	case "amp":
		dst = append(dst, '&')
	case "lt":
		dst = append(dst, '<')
	case "gt":
		dst = append(dst, '>')
	case "quot":
		dst = append(dst, '"')
	case "apos":
		dst = append(dst, '\'')
	default:
		r, ok := charReference(name)
		if !ok {
			return append(dst, '&'), 1
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, end + 1
}

func charReference(name string) (rune, bool) {
	if name[0] != '#' {
		return 0, false
	}
	digits, base := name[1:], 10
	if digits != "" && (digits[0] == 'x' || digits[0] == 'X') {
		digits, base = digits[1:], 16
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > utf8.MaxRune {
		return 0, false
	}
	return rune(n), true
}

// appendXMLText appends s as character data. It returns false if s has a character that
// XML 1.0 does not allow even as a reference.
func appendXMLText(dst []byte, s string) ([]byte, bool) {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == '&':
			dst = append(dst, "&amp;"...)
		case r == '<':
			dst = append(dst, "&lt;"...)
		case r == '>':
			dst = append(dst, "&gt;"...)
		case r == '"':
			dst = append(dst, "&quot;"...)
		case r == '\t' || r == '\n' || r == '\r':
			dst = fmt.Appendf(dst, "&#x%X;", r)
		case r < 0x20, r == utf8.RuneError && n == 1, r == 0xFFFE, r == 0xFFFF:
			return dst, false
		default:
			dst = append(dst, s[i:i+n]...)
		}
		i += n
	}
	return dst, true
}

// clip shortens a string of the server for a message.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return s[:n] + "..."
}
