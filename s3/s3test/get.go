package s3test

import (
	"fmt"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// getObject answers GetObject and HeadObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
func (c *call) getObject() error {
	o, err := c.lookup(c.query.Get("versionId"))
	if err != nil && c.lacks(s3.FeatureHeadAbsent, s3.SupportRefused) {
		return errAccessDenied()
	}
	if err != nil {
		return err
	}
	if err := c.customerKey(o.props); err != nil {
		return err
	}
	if err := c.readConditions(o); err != nil {
		return err
	}
	if o.archived() && c.r.Method == http.MethodGet {
		return errArchived(o)
	}
	first, n, partial, err := c.selectBytes(o)
	if err != nil {
		return err
	}
	h := c.w.Header()
	c.objectHeaders(o)
	h.Set("Content-Length", strconv.FormatInt(n, 10))
	status := http.StatusOK
	if partial {
		h.Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", first, first+n-1, o.content.size()))
		status = http.StatusPartialContent
	}
	if strings.EqualFold(c.r.Header.Get("x-amz-checksum-mode"), "ENABLED") && !partial {
		o.checksum.set(h)
	}
	c.begin(status)
	if c.r.Method == http.MethodGet {
		_ = o.content.writeTo(c.w, first, n) // a client that went away is no error of the server
	}
	return nil
}

// lookup finds the object of the request.
func (c *call) lookup(version string) (*object, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return nil, err
	}
	return b.find(c.key, version)
}

// locate finds a bucket. The caller holds mu.
func (s *Server) locate(name string) (*bucket, error) {
	b, ok := s.buckets[name]
	if !ok {
		return nil, errNoSuchBucket(name)
	}
	return b, nil
}

// selectBytes applies the Range header or partNumber parameter.
func (c *call) selectBytes(o *object) (first, n int64, partial bool, err error) {
	size := o.content.size()
	if c.has("partNumber") {
		return c.selectPart(o)
	}
	asked := c.r.Header.Get("Range")
	first, n, ok := parseRange(asked, size)
	switch {
	case !ok:
		return 0, size, false, nil
	case n == 0:
		return 0, 0, false, errInvalidRange(asked, size)
	}
	return first, n, true, nil
}

// selectPart applies the partNumber parameter.
func (c *call) selectPart(o *object) (first, n int64, partial bool, err error) {
	number, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || number < 1 {
		return 0, 0, false, badRequest("InvalidArgument", "Part number must be an integer between 1 and 10000, inclusive")
	}
	parts := o.parts
	if parts == nil {
		parts = []int64{o.content.size()}
	}
	if number > len(parts) {
		return 0, 0, false, fail(http.StatusRequestedRangeNotSatisfiable, "InvalidPartNumber",
			"The requested partnumber is not satisfiable")
	}
	if o.parts != nil {
		c.w.Header().Set("x-amz-mp-parts-count", strconv.Itoa(len(parts)))
	}
	if number > 1 {
		first = parts[number-2]
	}
	n = parts[number-1] - first
	return first, n, n > 0, nil
}

// parseRange reads one byte range (RFC 9110, section 14.1.2). ok is false if
// the header is to be ignored; n is 0 if the range cannot be satisfied.
func parseRange(header string, size int64) (first, n int64, ok bool) {
	spec, found := strings.CutPrefix(header, "bytes=")
	if !found || strings.Contains(spec, ",") {
		return 0, 0, false
	}
	from, to, found := strings.Cut(strings.TrimSpace(spec), "-")
	if !found {
		return 0, 0, false
	}
	if from == "" {
		suffix, err := strconv.ParseUint(to, 10, 63)
		if err != nil {
			return 0, 0, false
		}
		n = min(int64(suffix), size)
		return size - n, n, true
	}
	start, err := strconv.ParseUint(from, 10, 63)
	if err != nil {
		return 0, 0, false
	}
	last := size - 1
	if to != "" {
		end, err := strconv.ParseUint(to, 10, 63)
		if err != nil || end < start {
			return 0, 0, false
		}
		last = min(last, int64(end))
	}
	return int64(start), max(0, last-int64(start)+1), true
}

// objectHeaders sets the headers of GET and HEAD for an object.
func (c *call) objectHeaders(o *object) {
	h := c.w.Header()
	h.Set("ETag", c.etag(o))
	if c.opts.WeakETags {
		h.Set("ETag", "W/"+c.etag(o))
	}
	h.Set("Last-Modified", httpTime(o.modified))
	h.Set("Accept-Ranges", "bytes")
	h.Set("Content-Type", "binary/octet-stream")
	for name, value := range o.props.header {
		h.Set(name, value)
	}
	for name, value := range o.props.meta {
		h["x-amz-meta-"+name] = []string{encodeMeta(value)}
	}
	for name, value := range o.props.sse {
		h.Set(name, value)
	}
	if o.props.storageClass != "" {
		h.Set("x-amz-storage-class", o.props.storageClass)
	}
	if len(o.props.tags) > 0 {
		h.Set("x-amz-tagging-count", strconv.Itoa(len(o.props.tags)))
	}
	if v := o.restoreHeader(); v != "" {
		h.Set("x-amz-restore", v)
	}
	c.versionHeader(o)
	for _, name := range overridable() {
		if v := c.query.Get("response-" + strings.ToLower(name)); v != "" {
			h.Set(name, v)
		}
	}
}

// overridable are the headers that a GET may ask to be answered with other values.
func overridable() []string {
	return []string{"Content-Type", "Content-Language", "Content-Encoding", "Content-Disposition", "Cache-Control", "Expires"}
}

// encodeMeta encodes user metadata for an answer. S3 encodes non-ASCII values as in RFC
// 2047.
func encodeMeta(value string) string {
	for i := 0; i < len(value); i++ {
		if value[i] >= 0x80 {
			return mime.BEncoding.Encode("UTF-8", value)
		}
	}
	return value
}

// etag is the ETag as answers have it.
func (c *call) etag(o *object) string { return `"` + o.etag + `"` }

// versionHeader sets the version id if the object has one.
func (c *call) versionHeader(o *object) {
	if o.version != "" {
		c.w.Header().Set("x-amz-version-id", o.version)
	}
}
