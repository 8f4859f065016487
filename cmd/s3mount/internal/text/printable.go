package text

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Printable returns s with an escape such as \x1b in place of each character that is not
// visible: control characters, line ends, marks that change the direction of writing, and
// bytes that are not UTF-8.
func Printable(s string) string { return escape(s, "") }

// Lines is like Printable, but keeps line ends and tabs.
func Lines(s string) string { return escape(s, "\n\t") }

// OneLine is like Printable, but replaces line ends by semicolons.
func OneLine(s string) string {
	return Printable(strings.ReplaceAll(strings.TrimRight(s, "\n"), "\n", "; "))
}

// escape escapes the characters of s that are neither visible nor in keep.
func escape(s, keep string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return !shown(r, keep) }) && utf8.ValidString(s) {
		return s
	}
	out := make([]byte, 0, len(s)+16)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'x', hex[s[0]>>4], hex[s[0]&15])
		case shown(r, keep):
			out = append(out, s[:n]...)
		default:
			quoted := strconv.QuoteRune(r)
			out = append(out, quoted[1:len(quoted)-1]...)
		}
		s = s[n:]
	}
	return string(out)
}

// shown reports whether a character is visible or in keep.
func shown(r rune, keep string) bool { return unicode.IsGraphic(r) || strings.ContainsRune(keep, r) }

// JSON escapes the control characters that encoding/json does not escape: DEL and those of
// C1. The result is equivalent JSON.
func JSON(text []byte) []byte {
	if !bytes.ContainsFunc(text, obeyed) {
		return text
	}
	out := make([]byte, 0, len(text)+16)
	for _, r := range string(text) {
		if obeyed(r) {
			out = append(out, `\u00`...)
			out = strconv.AppendInt(out, int64(r), 16)
			continue
		}
		out = utf8.AppendRune(out, r)
	}
	return out
}

func obeyed(r rune) bool { return r >= 0x7f && r < 0xa0 }

// JSONWriter applies JSON to the text that is written to it.
type JSONWriter struct{ To io.Writer }

// Write writes p, which is a complete JSON text.
func (w JSONWriter) Write(text []byte) (int, error) {
	if _, err := w.To.Write(JSON(text)); err != nil {
		return 0, err
	}
	return len(text), nil
}
