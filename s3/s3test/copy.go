package s3test

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// copyObject answers CopyObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
func (c *call) copyObject() error {
	src, sameKey, err := c.source()
	if err != nil {
		return err
	}
	if src.content.size() > c.opts.MaxPutSize {
		return badRequest("InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: %d", c.opts.MaxPutSize)
	}
	props, changed, err := c.copyProperties(src)
	if err != nil {
		return err
	}
	if sameKey && !changed {
		return badRequest("InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata, storage class, website redirect location or encryption attributes.")
	}
	if err := c.precheck(); err != nil {
		return err
	}
	o := &object{content: src.content, etag: src.etag, props: props, checksum: src.checksum}
	if src.parts != nil { // the copy is written as one: its ETag is the MD5 of all bytes
		o.etag = hex.EncodeToString(c.copySum(src.content))
		o.checksum = checksum{}
		if src.checksum.algorithm != "" {
			o.checksum = checksumOf(src.checksum.algorithm, src.content)
		}
	}
	if err := c.store(o); err != nil {
		return err
	}
	c.versionHeader(o)
	for name, value := range o.props.sse {
		c.w.Header().Set(name, value)
	}
	c.replyCopy("CopyObjectResult", o)
	return nil
}

// replyCopy acknowledges a copy.
func (c *call) replyCopy(root string, o *object) {
	x := newXML(root)
	x.text("LastModified", xmlTime(o.modified))
	etag := c.etag(o)
	if c.opts.ResultsAsCeph {
		etag = strings.Trim(etag, `"`)
	}
	x.text("ETag", etag)
	o.checksum.element(x)
	x.end(root)
	c.reply(http.StatusOK, x)
}

// source finds what x-amz-copy-source names and applies its conditions.
func (c *call) source() (o *object, sameKey bool, err error) {
	raw, query, _ := strings.Cut(c.r.Header.Get("x-amz-copy-source"), "?")
	path, err := url.PathUnescape(raw)
	if err != nil {
		return nil, false, badRequest("InvalidArgument", "Invalid copy source encoding")
	}
	bucket, key, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	if !ok || key == "" {
		return nil, false, badRequest("InvalidArgument", "Invalid copy source object key")
	}
	version, _ := strings.CutPrefix(query, "versionId=")
	if d := c.opts.Deny; d != nil && d("GetObject", bucket, key) {
		return nil, false, errAccessDenied()
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(bucket)
	if err != nil {
		return nil, false, err
	}
	if o, err = b.find(key, version); err != nil {
		return nil, false, err
	}
	if err := sameCustomerKey(c.r.Header, "x-amz-copy-source-server-side-encryption-customer-", o.props); err != nil {
		return nil, false, err
	}
	if o.archived() {
		return nil, false, errArchived(o)
	}
	if o.version != "" {
		c.w.Header().Set("x-amz-copy-source-version-id", o.version)
	}
	same := bucket == c.bucket && key == c.key && version == ""
	return o, same, c.sourceConditions(o)
}

// copyProperties returns the properties of the copy, and whether the request changes
// those of the source.
func (c *call) copyProperties(src *object) (p *properties, changed bool, err error) {
	asked, err := c.properties()
	if err != nil {
		return nil, false, err
	}
	replace, err := c.directive("x-amz-metadata-directive")
	if err != nil {
		return nil, false, err
	}
	replaceTags, err := c.directive("x-amz-tagging-directive")
	if err != nil {
		return nil, false, err
	}
	p = &properties{
		header: src.props.header, meta: src.props.meta, tags: src.props.tags,
		storageClass: asked.storageClass, sse: asked.sse, customerMD5: asked.customerMD5,
	}
	if replace {
		p.header, p.meta = asked.header, asked.meta
	}
	if replaceTags {
		p.tags = asked.tags
	}
	changed = replace || replaceTags || asked.storageClass != src.props.storageClass ||
		len(asked.sse) > 0 || src.props.customerMD5 != ""
	return p, changed, nil
}

// directive reports whether a directive header is REPLACE.
func (c *call) directive(name string) (bool, error) {
	switch c.r.Header.Get(name) {
	case "", "COPY":
		return false, nil
	case "REPLACE":
		return true, nil
	}
	return false, badRequest("InvalidArgument", "Unknown %s.", name)
}

// copyRange reads x-amz-copy-source-range, which S3 wants exact.
func (c *call) copyRange(size int64) (first, n int64, err error) {
	header := c.r.Header.Get("x-amz-copy-source-range")
	if header == "" {
		return 0, size, nil
	}
	from, to, _ := strings.Cut(strings.TrimPrefix(header, "bytes="), "-")
	first, errFirst := strconv.ParseInt(from, 10, 64)
	last, errLast := strconv.ParseInt(to, 10, 64)
	switch {
	case !strings.HasPrefix(header, "bytes=") || errFirst != nil || errLast != nil || first < 0 || last < first:
		return 0, 0, badRequest("InvalidArgument", "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the zero-based offsets of the first and last bytes to copy")
	case last >= size:
		return 0, 0, badRequest("InvalidArgument", "Range specified is not valid for source object of size: %d", size)
	}
	return first, last - first + 1, nil
}
