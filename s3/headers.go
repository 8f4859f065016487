package s3

import (
	"crypto/md5"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// set sets a header unless its value is empty. name must be canonical.
func set(h http.Header, name, value string) {
	if value != "" {
		h[name] = []string{value}
	}
}

// badHeader returns the name of a header whose value is invalid (RFC 9110, section
// 5.5), or "". net/http also rejects such headers, but with an error that looks like a
// network error and contains the value, which may be secret.
func badHeader(h http.Header) string {
	for name, vs := range h {
		for _, v := range vs {
			for i := 0; i < len(v); i++ {
				if c := v[i]; c < ' ' && c != '\t' || c == 0x7f {
					return name
				}
			}
		}
	}
	return ""
}

// apply adds the conditional headers of RFC 9110, section 13.
func (in Conditions) apply(h http.Header, prefix string) {
	set(h, prefix+"If-Match", in.IfMatch)
	set(h, prefix+"If-None-Match", in.IfNoneMatch)
	if !in.IfModifiedSince.IsZero() {
		set(h, prefix+"If-Modified-Since", in.IfModifiedSince.UTC().Format(http.TimeFormat))
	}
	if !in.IfUnmodifiedSince.IsZero() {
		set(h, prefix+"If-Unmodified-Since", in.IfUnmodifiedSince.UTC().Format(http.TimeFormat))
	}
}

// apply adds the headers of SSE-C under the prefix "X-Amz-" or "X-Amz-Copy-Source-"
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/ServerSideEncryptionCustomerKeys.html).
func (k *CustomerKey) apply(h http.Header, prefix string) {
	if k == nil {
		return
	}
	sum := md5.Sum(k.Key[:])
	prefix += "Server-Side-Encryption-Customer-"
	h[prefix+"Algorithm"] = []string{"AES256"}
	h[prefix+"Key"] = []string{base64.StdEncoding.EncodeToString(k.Key[:])}
	h[prefix+"Key-Md5"] = []string{base64.StdEncoding.EncodeToString(sum[:])}
}

// ssecPrefix and copySourcePrefix begin the names of headers about an object and about
// the source of a copy.
const (
	ssecPrefix       = "X-Amz-"
	copySourcePrefix = "X-Amz-Copy-Source-"
)

// String keeps the key out of logs.
func (k *CustomerKey) String() string { return "SSE-C key" }

// GoString keeps the key out of logs.
func (k *CustomerKey) GoString() string { return k.String() }

// apply adds the headers for the properties of an object. It returns a description of
// an invalid property, or "".
func (o *ObjectOptions) apply(h http.Header) string {
	set(h, "Content-Type", o.ContentType)
	set(h, "Content-Encoding", o.ContentEncoding)
	set(h, "Content-Disposition", o.ContentDisposition)
	set(h, "Content-Language", o.ContentLanguage)
	set(h, "Cache-Control", o.CacheControl)
	set(h, "Expires", o.Expires)
	set(h, "X-Amz-Acl", o.ACL)
	set(h, "X-Amz-Storage-Class", o.StorageClass)
	if len(o.Tags) > 0 {
		h["X-Amz-Tagging"] = []string{encodeTags(o.Tags)}
	}
	for name, v := range o.Metadata {
		if !validMetaName(name) {
			return "metadata name " + strconv.Quote(clip(name, 64)) + " is not valid in a header"
		}
		h[textproto.CanonicalMIMEHeaderKey(metaPrefix+name)] = []string{encodeMeta(v)}
	}
	return o.SSE.apply(h)
}

func (s *ServerSideEncryption) apply(h http.Header) string {
	if s.Customer != nil {
		if s.Algorithm != "" {
			return "SSE: Customer excludes Algorithm"
		}
		s.Customer.apply(h, ssecPrefix)
		return ""
	}
	set(h, "X-Amz-Server-Side-Encryption", s.Algorithm)
	set(h, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id", s.KMSKeyID)
	set(h, "X-Amz-Server-Side-Encryption-Context", s.KMSContext)
	if s.BucketKeyEnabled {
		set(h, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled", "true")
	}
	return ""
}

// escapeTag writes a space as %20. Ceph RGW keeps a "+" as it is.
func escapeTag(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }

func encodeTags(tags map[string]string) string {
	names := make([]string, 0, len(tags))
	for name := range tags {
		names = append(names, name)
	}
	sort.Strings(names)
	var b strings.Builder
	for i, name := range names {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(escapeTag(name) + "=" + escapeTag(tags[name]))
	}
	return b.String()
}

// apply adds the Range header. It returns a description of the fault if r is invalid,
// or "".
func (r Range) apply(h http.Header) string {
	switch {
	case r.kind == rangeAll:
		return ""
	case r.first < 0, r.kind == rangeBytes && r.last < r.first, r.kind == rangeLast && r.last < 1:
		return "range " + r.String() + " is not valid"
	}
	h["Range"] = []string{r.String()}
	return ""
}

// String returns the value of the Range header, such as "bytes=0-99", or "" for the
// whole object.
func (r Range) String() string {
	if r.kind == rangeAll {
		return ""
	}
	var buf [64]byte
	b := append(buf[:0], "bytes="...)
	if r.kind != rangeLast {
		b = strconv.AppendInt(b, r.first, 10)
	}
	b = append(b, '-')
	if r.kind != rangeFrom {
		b = strconv.AppendInt(b, r.last, 10)
	}
	return string(b)
}

// holds reports whether r selects exactly the bytes first to last of an object of size
// bytes.
func (r Range) holds(first, last, size int64) bool {
	switch r.kind {
	case rangeBytes:
		return first == r.first && last == min(r.last, size-1)
	case rangeFrom:
		return first == r.first && last == size-1
	case rangeLast:
		return first == max(0, size-r.last) && last == size-1
	}
	return first == 0 && last == size-1
}

// objectInfo returns the object that the headers of a response describe
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
func objectInfo(key string, resp *response) ObjectInfo {
	h := resp.header
	info := ObjectInfo{
		Key:                key,
		Size:               resp.length,
		ETag:               strongETag(first(h, "Etag")),
		LastModified:       httpTime(first(h, "Last-Modified")),
		VersionID:          first(h, "X-Amz-Version-Id"),
		StorageClass:       storageClass(first(h, "X-Amz-Storage-Class")),
		ContentType:        first(h, "Content-Type"),
		ContentEncoding:    strings.TrimPrefix(first(h, "Content-Encoding"), "aws-chunked,"),
		ContentDisposition: first(h, "Content-Disposition"),
		ContentLanguage:    first(h, "Content-Language"),
		CacheControl:       first(h, "Cache-Control"),
		Expires:            first(h, "Expires"),
		Checksum:           checksumOf(h),
		SSE:                first(h, "X-Amz-Server-Side-Encryption"),
		KMSKeyID:           first(h, "X-Amz-Server-Side-Encryption-Aws-Kms-Key-Id"),
		BucketKeyEnabled:   first(h, "X-Amz-Server-Side-Encryption-Bucket-Key-Enabled") == "true",
		CustomerKey:        first(h, ssecPrefix+"Server-Side-Encryption-Customer-Algorithm") != "",
		Restore:            first(h, "X-Amz-Restore"),
		ArchiveStatus:      first(h, "X-Amz-Archive-Status"),
		DeleteMarker:       first(h, "X-Amz-Delete-Marker") == "true",
	}
	if info.ContentEncoding == "aws-chunked" {
		info.ContentEncoding = ""
	}
	info.TagCount, _ = strconv.Atoi(first(h, "X-Amz-Tagging-Count"))
	info.MissingMeta, _ = strconv.Atoi(first(h, "X-Amz-Missing-Meta"))
	for name, v := range h {
		if len(name) > len(metaPrefix) && name[:len(metaPrefix)] == metaPrefix {
			if info.Metadata == nil {
				info.Metadata = make(map[string]string)
			}
			info.Metadata[strings.ToLower(name[len(metaPrefix):])] = decodeMeta(v)
		}
	}
	return info
}

// Options returns the options that write an object with the properties of info.
// KeepTags is set if the object has tags. The ACL is not included, because S3 does not
// return it.
func (info *ObjectInfo) Options() ObjectOptions {
	o := ObjectOptions{
		ContentType: info.ContentType, ContentEncoding: info.ContentEncoding, ContentDisposition: info.ContentDisposition,
		ContentLanguage: info.ContentLanguage, CacheControl: info.CacheControl, Expires: info.Expires,
		StorageClass: info.StorageClass, Metadata: info.Metadata, KeepTags: info.TagCount > 0,
	}
	if slices.Contains(Encryptions(), info.SSE) {
		o.SSE = ServerSideEncryption{Algorithm: info.SSE, KMSKeyID: info.KMSKeyID, BucketKeyEnabled: info.BucketKeyEnabled}
	}
	return o
}

func httpTime(v string) time.Time {
	if v == "" {
		return time.Time{}
	}
	t, err := http.ParseTime(v)
	if err != nil {
		return time.Time{}
	}
	return t
}
