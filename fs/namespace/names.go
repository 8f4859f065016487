package namespace

import (
	"strings"
	"unicode/utf8"
)

const (
	// maxName is the longest name in bytes that Linux passes (NAME_MAX).
	maxName = 255

	sufFile = "%~f" // a file where the plain name is not possible
	sufDir  = "%~d" // a directory where the plain name is not possible
	sufCont = "%~+" // the first part of a segment that is too long for one name
	escNUL  = "%~0" // the byte that no name may hold
)

// form is how a name stands for a segment.
type form uint8

const (
	formPlain form = iota // file or unshadowed directory
	formFile              // ends in %~f
	formDir               // ends in %~d
	formCont              // ends in %~+
	formNone              // no key has this name
)

// encode returns the name of a segment. A directory is given with isDir, and
// with shadowed where an object of the same segment holds the plain name. ok
// is false if the name would be too long: then the segment is found in the
// directory that contName names.
func encode(seg string, isDir, shadowed bool) (name string, ok bool) {
	name = escape(seg)
	switch {
	case isDir && (shadowed || isDots(seg)):
		name += sufDir
	case !isDir && isDots(seg):
		name += sufFile
	}
	return name, len(name) <= maxName
}

// isDots reports whether the segment can be no name in itself.
func isDots(seg string) bool { return seg == "" || seg == "." || seg == ".." }

// decode is the inverse of encode and contName: it returns the segment, or
// the beginning of one, that a name stands for.
func decode(name string) (seg string, f form) {
	if name == "" || len(name) > maxName {
		return "", formNone
	}
	body := name
	switch {
	case strings.HasSuffix(name, sufFile) && isDots(name[:len(name)-3]):
		return name[:len(name)-3], formFile
	case strings.HasSuffix(name, sufDir):
		body, f = name[:len(name)-3], formDir
	case strings.HasSuffix(name, sufCont):
		body, f = name[:len(name)-3], formCont
	case isDots(name):
		return "", formNone
	}
	seg = unescape(body)
	if strings.Contains(seg, "/") || escape(seg) != body {
		return "", formNone
	}
	return seg, f
}

// escape writes NUL bytes, and puts one % into what would be read as an escape.
func escape(seg string) string {
	if !strings.Contains(seg, "%~") && strings.IndexByte(seg, 0) < 0 {
		return seg
	}
	var b strings.Builder
	for i := 0; i < len(seg); i++ {
		if seg[i] == 0 {
			b.WriteString(escNUL)
			continue
		}
		if n := escapeLike(seg, i); n > 0 {
			b.WriteString("%~%")
			b.WriteString(seg[i+2 : i+n])
			i += n - 1
			continue
		}
		b.WriteByte(seg[i])
	}
	return b.String()
}

// unescape is the inverse of escape. It leaves sequences that escape cannot produce
// unchanged, and decode rejects them by comparing.
func unescape(body string) string {
	if !strings.Contains(body, "%~") {
		return body
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		n := escapeLike(body, i)
		switch {
		case n == 3 && body[i+2] == '0':
			b.WriteByte(0)
		case n > 3:
			b.WriteString("%~")
			b.WriteString(body[i+3 : i+n])
		default:
			b.WriteByte(body[i])
			continue
		}
		i += n - 1
	}
	return b.String()
}

// escapeLike returns the length of the text at s[i:] that an escape could be
// mistaken for: "%~", any number of "%", and 0, or f, d or + at the end.
func escapeLike(s string, i int) int {
	if !strings.HasPrefix(s[i:], "%~") {
		return 0
	}
	j := i + 2
	for j < len(s) && s[j] == '%' {
		j++
	}
	if j == len(s) {
		return 0
	}
	last := j+1 == len(s)
	switch s[j] {
	case '0':
	case 'd', '+':
		if !last {
			return 0
		}
	case 'f':
		if !last || !isDots(s[:i]) {
			return 0
		}
	default:
		return 0
	}
	return j + 1 - i
}

// splitLong returns the first part of a segment that is too long for one
// name: the longest that leaves room for the suffix, cut between runes.
func splitLong(seg string) string {
	const room = maxName - len(sufCont)
	n := min(len(seg), room)
	for n > 1 && (len(escape(seg[:n])) > room || n < len(seg) && !utf8.RuneStart(seg[n]) && runeSplit(seg, n)) {
		n--
	}
	return seg[:n]
}

// runeSplit reports whether cutting s at n cuts a valid rune.
func runeSplit(s string, n int) bool {
	for i := 1; i < utf8.UTFMax && n-i >= 0; i++ {
		if utf8.RuneStart(s[n-i]) {
			r, size := utf8.DecodeRuneInString(s[n-i:])
			return r != utf8.RuneError && size > i
		}
	}
	return false
}

// contName names the directory of all segments that begin with part.
func contName(part string) string { return escape(part) + sufCont }

// nameOf returns the name of a segment in its directory. For a continuation, part is
// the part of the segment that the name represents.
func nameOf(seg string, isDir, shadowed bool) (name, part string, f form) {
	name, ok := encode(seg, isDir, shadowed)
	if ok {
		return name, seg, formPlain
	}
	part = splitLong(seg)
	return contName(part), part, formCont
}
