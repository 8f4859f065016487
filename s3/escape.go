package s3

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
)

const upperHex = "0123456789ABCDEF"

// appendEscaped appends s percent-encoded as Signature Version 4 wants it:
// all but RFC 3986's unreserved characters, and '/' if keepSlash.
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

// escapeKey encodes a key for a URL's path.
func escapeKey(key string) string {
	for i := 0; i < len(key); i++ {
		if !isUnreserved(key[i]) && key[i] != '/' {
			return string(appendEscaped(make([]byte, 0, len(key)+16), key, true))
		}
	}
	return key
}

// unescapeListed decodes a key of a listing that was asked for with
// encoding-type=url. Servers encode as a form does (space is '+') or as a
// path does (space is %20); both decode alike since a literal '+' is always
// %2B. What is not valid encoding was never encoded and stays as it is.
func unescapeListed(s string) string {
	if strings.IndexByte(s, '%') < 0 && strings.IndexByte(s, '+') < 0 {
		return s
	}
	return unescapeBytes([]byte(s))
}

// unescapeBytes is unescapeListed for what is not yet a string.
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

// param is one parameter of a query.
type param struct{ name, value string }

type query []param

// add appends a parameter unless its value is empty.
func (q query) add(name, value string) query {
	if value == "" {
		return q
	}
	return append(q, param{name, value})
}

// encode sorts and encodes q as both the URL and the signature have it.
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
