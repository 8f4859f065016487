package s3

import "strings"

// strongETag gives an ETag the one form that the client uses: strong, and in
// quotes. A proxy that compresses makes the ETags of its answers weak (RFC 9110,
// section 8.8.1) and passes conditions on to a server that knows only the strong
// form. The client asks for no compression, so that the bytes are the same. Ceph
// writes the ETag into the answers of CopyObject and CompleteMultipartUpload
// without quotes, and into its headers with them.
func strongETag(v string) string {
	v = strings.TrimPrefix(v, "W/")
	if v == "" || strings.HasPrefix(v, `"`) {
		return v
	}
	return `"` + v + `"`
}

// sameETag compares two ETags, with or without quotes.
func sameETag(a, b string) bool {
	return unquote(strongETag(a)) == unquote(strongETag(b))
}

// unquote removes the quotes of an ETag.
func unquote(etag string) string { return strings.Trim(etag, `"`) }
