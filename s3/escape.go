package s3

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// appendEscaped appends s in the percent-encoding of Signature Version 4: it escapes
// all bytes but the unreserved characters of RFC 3986, and '/' if keepSlash is set.
func appendEscaped(dst []byte, s string, keepSlash bool) []byte {
	for i := 0; i < len(s); i++ {
		c := s[i]
		if isUnreserved(c) || c == '/' && keepSlash {
			dst = append(dst, c)
		} else {
			dst = append(dst, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return dst
}

func isUnreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' ||
		c == '-' || c == '_' || c == '.' || c == '~'
}

// escapeKey encodes a key for the path of a URL.
func escapeKey(key string) string {
	for i := 0; i < len(key); i++ {
		if !isUnreserved(key[i]) && key[i] != '/' {
			return string(appendEscaped(make([]byte, 0, len(key)+16), key, true))
		}
	}
	return key
}

// unescapeListed decodes a key of a listing with encoding-type=url. Servers write a
// space as '+' or as %20. Both are decoded, since a literal '+' is always %2B. A string
// that is not a valid encoding is returned unchanged.
func unescapeListed(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	return unescapeBytes([]byte(s))
}

// unescapeBytes is unescapeListed for a byte slice.
func unescapeBytes(s []byte) string {
	if bytes.IndexByte(s, '%') < 0 && bytes.IndexByte(s, '+') < 0 {
		return string(s)
	}
	var buf [MaxKeyLength]byte
	b := buf[:0]
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '+':
			b = append(b, ' ')
		case '%':
			if i+2 >= len(s) {
				return string(s)
			}
			hi, lo := unhex(s[i+1]), unhex(s[i+2])
			if hi < 0 || lo < 0 {
				return string(s)
			}
			b = append(b, byte(hi<<4|lo))
			i += 2
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// param is one query parameter.
type param struct{ name, value string }

type query []param

// add appends a parameter unless its value is empty.
func (q query) add(name, value string) query {
	if value == "" {
		return q
	}
	return append(q, param{name, value})
}

// encode sorts q by name and returns it in the form that the URL and the signature
// require.
func (q query) encode() string {
	if len(q) == 0 {
		return ""
	}
	slices.SortFunc(q, func(a, b param) int { return strings.Compare(a.name, b.name) })
	var buf [256]byte
	b := buf[:0]
	for i, p := range q {
		if i > 0 {
			b = append(b, '&')
		}
		b = appendEscaped(b, p.name, false)
		b = append(b, '=')
		b = appendEscaped(b, p.value, false)
	}
	return string(b)
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
