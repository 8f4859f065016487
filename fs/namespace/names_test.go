package namespace

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesOfSegments(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, tc := range []struct {
		seg             string
		isDir, shadowed bool
		want            string
	}{
		{"a", false, false, "a"},
		{"a", true, false, "a"},
		{"a", true, true, "a%~d"},
		{"", false, false, "%~f"},
		{"", true, false, "%~d"},
		{".", false, false, ".%~f"},
		{".", true, false, ".%~d"},
		{"..", false, false, "..%~f"},
		{"..", true, true, "..%~d"},
		{"a\x00b", false, false, "a%~0b"},
		{"%", false, false, "%"},
		{"100%", true, false, "100%"},
		{"a\nb", false, false, "a\nb"},
		{"\xff\xfe", false, false, "\xff\xfe"},
		{"a%~d", false, false, "a%~%d"},
		{"a%~%d", false, false, "a%~%%d"},
		{"a%~d", true, true, "a%~%d%~d"},
		{"a%~db", false, false, "a%~db"},
		{"a%~0b", false, false, "a%~%0b"},
		{"a%~f", false, false, "a%~f"},
		{"%~f", false, false, "%~%f"},
		{".%~f", false, false, ".%~%f"},
		{"a%~+", false, false, "a%~%+"},
		{long, false, false, strings.Repeat("x", 252) + "%~+"},
	} {
		name, _, _ := nameOf(tc.seg, tc.isDir, tc.shadowed)
		if name != tc.want {
			t.Errorf("name of %q (dir %v, shadowed %v) is %q, want %q", tc.seg, tc.isDir, tc.shadowed, name, tc.want)
		}
	}
}

// segments draws segments that are likely to meet every rule.
func segments() *rapid.Generator[string] {
	parts := rapid.SampledFrom([]string{
		"", "a", "b", ".", "..", "%", "~", "%~", "%~f", "%~d", "%~+", "%~0", "%~%", "%~%%d", "f", "d", "0", "+",
		"\x00", "\n", "\xff", "é", "\U0001F600", strings.Repeat("y", 120), strings.Repeat("é", 70),
	})
	return rapid.OneOf(
		rapid.Map(rapid.SliceOfN(parts, 0, 8), func(p []string) string { return strings.Join(p, "") }),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 400), func(b []byte) string {
			return strings.ReplaceAll(string(b), "/", "_")
		}),
	)
}

// walkName finds a segment again by its names alone, from the directory down.
func walkName(t *rapid.T, seg string, isDir, shadowed bool) {
	stem := ""
	for {
		name, part, f := chain(seg, stem, isDir, shadowed)
		if f == formNone {
			t.Fatalf("segment %q has no name below %q", seg, stem)
		}
		if len(name) > maxName || name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			t.Fatalf("segment %q has the impossible name %q", seg, name)
		}
		got, gotForm := decode(name)
		if f == formCont {
			if gotForm != formCont || got != part || part == "" {
				t.Fatalf("continuation %q of %q decodes to %q form %d", name, seg, got, gotForm)
			}
			stem += part
			continue
		}
		if stem+got != seg {
			t.Fatalf("segment %q has the name %q below %q, which decodes to %q", seg, name, stem, got)
		}
		switch gotForm {
		case formFile:
			if isDir {
				t.Fatalf("directory %q has the file name %q", seg, name)
			}
		case formDir:
			if !isDir {
				t.Fatalf("file %q has the directory name %q", seg, name)
			}
		case formPlain:
			if isDir && shadowed {
				t.Fatalf("shadowed directory %q has the plain name %q", seg, name)
			}
		default:
			t.Fatalf("name %q of %q decodes to form %d", name, seg, gotForm)
		}
		return
	}
}

func TestNamesRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seg := segments().Draw(t, "segment")
		walkName(t, seg, false, false)
		walkName(t, seg, true, false)
		walkName(t, seg, true, true)
	})
}

func TestNamesAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := segments().Draw(t, "a"), segments().Draw(t, "b")
		dirA, dirB := rapid.Bool().Draw(t, "dirA"), rapid.Bool().Draw(t, "dirB")
		shadow := rapid.Bool().Draw(t, "shadow")
		if a == b && dirA == dirB {
			return
		}
		nameA, _, fa := nameOf(a, dirA, dirA && (shadow || a == b))
		nameB, _, fb := nameOf(b, dirB, dirB && (shadow || a == b))
		if nameA == nameB && !(fa == formCont && fb == formCont) {
			// A file and an unshadowed directory may have the same name only if
			// they are the same segment, and then the directory is shadowed.
			t.Fatalf("%q (dir %v) and %q (dir %v) are both %q", a, dirA, b, dirB, nameA)
		}
	})
}

func TestEveryNameHasOneSegment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := segments().Draw(t, "name")
		seg, f := decode(name)
		switch f {
		case formPlain, formFile, formDir:
			isDir := f == formDir
			got, ok := encode(seg, isDir, isDir && !isDots(seg))
			if f == formPlain && isDots(seg) {
				t.Fatalf("plain name %q decodes to %q", name, seg)
			}
			if ok && got != name {
				t.Fatalf("name %q decodes to %q, which encodes to %q", name, seg, got)
			}
		case formCont:
			if contName(seg) != name {
				t.Fatalf("continuation %q decodes to %q, which encodes to %q", name, seg, contName(seg))
			}
		}
	})
}
