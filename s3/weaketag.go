package s3

import "strings"

// strongETag removes the mark of a weak ETag. A proxy that compresses makes
// the ETags of its answers weak (RFC 9110, section 8.8.1) and passes conditions
// on to a server that knows only the strong form. The client asks for no
// compression, so that the bytes are the same.
func strongETag(v string) string {
	return strings.TrimPrefix(v, "W/")
}

// sameETag compares two ETags, with or without quotes.
func sameETag(a, b string) bool {
	return unquote(strongETag(a)) == unquote(strongETag(b))
}

// unquote removes the quotes of an ETag.
func unquote(etag string) string { return strings.Trim(etag, `"`) }
