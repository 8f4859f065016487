package s3test

import (
	"crypto/md5" //nolint:gosec // S3 names SSE-C keys by their MD5
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Limits of user metadata and tags
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingMetadata.html,
// .../object-tagging.html).
const (
	maxMetadata = 2 << 10
	maxTags     = 10
)

// putObject answers PutObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html).
func (c *call) putObject() error {
	props, err := c.properties()
	if err != nil {
		return err
	}
	if err := c.precheck(); err != nil { // before the body is sent for nothing
		return err
	}
	body, err := c.receive()
	if err != nil {
		return err
	}
	o := &object{
		content: body.content, etag: hex.EncodeToString(body.md5), props: props, checksum: body.checksum,
	}
	if err := c.store(o); err != nil {
		return err
	}
	c.stored(o)
	c.reply(http.StatusOK, nil)
	return nil
}

// precheck evaluates the conditions of a write early; store has the last word.
func (c *call) precheck() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return err
	}
	return c.writeConditions(b, c.key)
}

// store makes o the object of the request's key, if the conditions hold.
func (c *call) store(o *object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return err
	}
	if err := c.writeConditions(b, c.key); err != nil {
		return err
	}
	c.stamp(b, o)
	b.put(c.key, o)
	return nil
}

// stamp gives a new object its time and version.
func (s *Server) stamp(b *bucket, o *object) {
	o.modified = s.now()
	o.version = s.newVersion(b)
}

// newVersion is the version id of the next write to b.
func (s *Server) newVersion(b *bucket) string {
	switch b.versioning {
	case versioningEnabled:
		return s.nextID()
	case versioningSuspended:
		return nullVersion
	}
	return ""
}

// now is the clock as S3 keeps it: whole seconds, UTC.
func (s *Server) now() time.Time { return s.opts.Now().UTC().Truncate(time.Second) }

// stored sets the headers that acknowledge a new object.
func (c *call) stored(o *object) {
	h := c.w.Header()
	h.Set("ETag", c.etag(o))
	c.versionHeader(o)
	o.checksum.set(h)
	for name, value := range o.props.sse {
		h.Set(name, value)
	}
}

// properties returns the properties of the object that the headers of the request
// describe.
func (c *call) properties() (*properties, error) {
	p := &properties{header: map[string]string{}, meta: map[string]string{}}
	for _, name := range overridable() {
		if v := c.r.Header.Get(name); v != "" {
			p.header[name] = v
		}
	}
	if v := plainEncoding(p.header["Content-Encoding"]); v != "" {
		p.header["Content-Encoding"] = v
	} else {
		delete(p.header, "Content-Encoding")
	}
	size := 0
	for name, values := range c.r.Header {
		if name, ok := strings.CutPrefix(strings.ToLower(name), "x-amz-meta-"); ok {
			p.meta[name] = strings.Join(values, ",")
			size += len(name) + len(p.meta[name])
		}
	}
	if size > maxMetadata {
		return nil, badRequest("MetadataTooLarge", "Your metadata headers exceed the maximum allowed metadata size")
	}
	if class := c.r.Header.Get("x-amz-storage-class"); class != "STANDARD" {
		p.storageClass = class
	}
	tags, err := parseTags(c.r.Header.Get("x-amz-tagging"))
	if err != nil {
		return nil, err
	}
	p.tags = tags
	return p, c.encryption(p)
}

// plainEncoding is Content-Encoding without aws-chunked, which is of the wire only.
func plainEncoding(value string) string {
	var keep []string
	for one := range strings.SplitSeq(value, ",") {
		if one = strings.TrimSpace(one); one != "" && one != "aws-chunked" {
			keep = append(keep, one)
		}
	}
	return strings.Join(keep, ",")
}

// parseTags reads tags in the form of a URL query.
func parseTags(header string) (map[string]string, error) {
	values, err := url.ParseQuery(header)
	if err != nil {
		return nil, badRequest("InvalidArgument", "The header 'x-amz-tagging' shall be encoded as UTF-8 then URLEncoded URL query parameters without tag name duplicates.")
	}
	tags := make(map[string]string, len(values))
	for k, v := range values {
		tags[k] = v[0]
	}
	return tags, checkTags(tags)
}

// checkTags holds tags to S3's limits.
func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return badRequest("BadRequest", "Object tags cannot be greater than %d", maxTags)
	}
	for k, v := range tags {
		if k == "" || len(k) > 128 || len(v) > 256 {
			return badRequest("InvalidTag", "The TagKey or TagValue you have provided is invalid")
		}
	}
	return nil
}

// The headers of server-side encryption
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/serv-side-encryption.html).
const (
	sseHeader      = "x-amz-server-side-encryption"
	sseKMSHeader   = sseHeader + "-aws-kms-key-id"
	sseBucketKey   = sseHeader + "-bucket-key-enabled"
	customerHeader = sseHeader + "-customer-"
)

// encryption reads the encryption headers of the request. The server encrypts nothing,
// but checks that requests have the required headers.
func (c *call) encryption(p *properties) error {
	h := c.r.Header
	p.sse = map[string]string{}
	for _, name := range []string{sseHeader, sseKMSHeader, sseBucketKey} {
		if v := h.Get(name); v != "" {
			p.sse[name] = v
		}
	}
	sum, err := customerMD5(h, customerHeader)
	if err != nil {
		return err
	}
	if sum == "" {
		return nil
	}
	if p.sse[sseHeader] != "" {
		return badRequest("InvalidArgument", "Server Side Encryption with Customer provided key is incompatible with the encryption method specified")
	}
	p.customerMD5 = sum
	p.sse[customerHeader+"algorithm"] = "AES256"
	p.sse[customerHeader+"key-MD5"] = sum
	return nil
}

// customerMD5 reads and checks the SSE-C headers that start with prefix; "" is none.
func customerMD5(h http.Header, prefix string) (string, error) {
	key, sum := h.Get(prefix+"key"), h.Get(prefix+"key-MD5")
	if key == "" && sum == "" && h.Get(prefix+"algorithm") == "" {
		return "", nil
	}
	if h.Get(prefix+"algorithm") != "AES256" {
		return "", badRequest("InvalidArgument", "Requests specifying Server Side Encryption with Customer provided keys must provide a valid encryption algorithm.")
	}
	raw, err := base64.StdEncoding.DecodeString(key)
	if err != nil || len(raw) != 32 {
		return "", badRequest("InvalidArgument", "The secret key was invalid for the specified algorithm.")
	}
	got := md5.Sum(raw) //nolint:gosec // S3 names SSE-C keys by their MD5
	if base64.StdEncoding.EncodeToString(got[:]) != sum {
		return "", badRequest("InvalidArgument", "The calculated MD5 hash of the key did not match the hash that was provided.")
	}
	return sum, nil
}

// customerKey refuses a request without the key that the object was written with.
func (c *call) customerKey(p *properties) error {
	return sameCustomerKey(c.r.Header, customerHeader, p)
}

func sameCustomerKey(h http.Header, prefix string, p *properties) error {
	sum, err := customerMD5(h, prefix)
	switch {
	case err != nil:
		return err
	case p.customerMD5 == "" && sum != "":
		return badRequest("InvalidRequest", "The encryption parameters are not applicable to this object.")
	case p.customerMD5 != "" && sum == "":
		return badRequest("InvalidRequest", "The object was stored using a form of Server Side Encryption. The correct parameters must be provided to retrieve the object.")
	case p.customerMD5 != sum:
		return errAccessDenied()
	}
	return nil
}
