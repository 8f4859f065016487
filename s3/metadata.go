package s3

import (
	"encoding/base64"
	"mime"
	"strings"
	"unicode/utf8"
)

// metaPrefix begins the names of user metadata
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html).
const metaPrefix = "X-Amz-Meta-"

// validMetaName reports whether name is a token (RFC 9110, section 5.6.2).
func validMetaName(name string) bool {
	for i := 0; i < len(name); i++ {
		c := name[i]
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?={}`, c) >= 0 {
			return false
		}
	}
	return name != ""
}

const (
	wordOpen  = "=?UTF-8?B?"
	wordClose = "?="
	// wordBytes is the number of bytes in one encoded word: 60 characters of base64
	// within the limit of 75 (RFC 2047, section 2).
	wordBytes = 45
)

// encodeMeta encodes v for a header. It returns printable ASCII unchanged. Other
// values, and those that look like encoded words or have spaces that a header would
// lose, become encoded words of RFC 2047.
func encodeMeta(v string) string {
	plain := !strings.Contains(v, "=?") && strings.TrimSpace(v) == v && !strings.Contains(v, "  ")
	for i := 0; i < len(v) && plain; i++ {
		plain = ' ' <= v[i] && v[i] <= '~'
	}
	if plain {
		return v
	}
	var b strings.Builder
	for len(v) > 0 {
		n := min(len(v), wordBytes)
		for n < len(v) && n > wordBytes-utf8.UTFMax && !utf8.RuneStart(v[n]) {
			n--
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(wordOpen)
		b.WriteString(base64.StdEncoding.EncodeToString([]byte(v[:n])))
		b.WriteString(wordClose)
		v = v[n:]
	}
	return b.String()
}

// decodeMeta decodes a value of encodeMeta or the encoded words of other clients. It
// joins several header lines with commas (RFC 9110, section 5.3).
func decodeMeta(vs []string) string {
	v := strings.Join(vs, ",")
	if !strings.Contains(v, "=?") {
		return v
	}
	dec := mime.WordDecoder{}
	s, err := dec.DecodeHeader(v)
	if err != nil {
		return v
	}
	return s
}
