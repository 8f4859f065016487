package s3

import "strings"

// strongETag converts an ETag to the form that the client uses: strong and quoted.
// Proxies that compress make ETags weak (RFC 9110, section 8.8.1) and forward
// conditions to a server that knows only the strong form. The client does not request
// compression, so that the bytes are the same. Ceph omits the quotes in the results of
// CopyObject and CompleteMultipartUpload, but not in headers.
func strongETag(v string) string {
	v = strings.TrimPrefix(v, "W/")
	if v == "" || strings.HasPrefix(v, `"`) {
		return v
	}
	return `"` + v + `"`
}

// sameETag reports whether two ETags, with or without quotes, are equal.
func sameETag(a, b string) bool {
	return unquote(strongETag(a)) == unquote(strongETag(b))
}

// unquote removes the quotes of an ETag.
func unquote(etag string) string { return strings.Trim(etag, `"`) }
