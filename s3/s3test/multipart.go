package s3test

import (
	"encoding/hex"
	"net/http"
	"strconv"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// upload is an unfinished multipart upload. It is guarded by Server.mu.
type upload struct {
	key, id   string
	initiated time.Time
	props     *properties
	algorithm string // of the additional checksum, "" is none
	composite bool   // the checksum of the object covers the checksums of the parts
	parts     map[int]*part
}

// part is one uploaded part; it is immutable.
type part struct {
	number   int
	content  content
	md5      []byte
	modified time.Time
	checksum checksum
}

// etag is the part's ETag without quotes.
func (p *part) etag() string { return hex.EncodeToString(p.md5) }

// createUpload answers CreateMultipartUpload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateMultipartUpload.html).
func (c *call) createUpload() error {
	props, err := c.properties()
	if err != nil {
		return err
	}
	u := &upload{
		key: c.key, id: c.nextID(), initiated: c.now(), props: props, parts: map[int]*part{},
		algorithm: c.r.Header.Get("x-amz-checksum-algorithm"),
	}
	if err := c.uploadChecksum(u); err != nil {
		return err
	}
	if err := c.addUpload(u); err != nil {
		return err
	}
	for name, value := range props.sse {
		c.w.Header().Set(name, value)
	}
	x := newXML("InitiateMultipartUploadResult")
	x.text("Bucket", c.bucket)
	x.text("Key", c.key)
	x.text("UploadId", u.id)
	x.end("InitiateMultipartUploadResult")
	c.reply(http.StatusOK, x)
	return nil
}

// uploadChecksum settles how the object's checksum will be made.
func (c *call) uploadChecksum(u *upload) error {
	kind := c.r.Header.Get("x-amz-checksum-type")
	if u.algorithm == "" {
		return nil
	}
	if newHash(u.algorithm) == nil {
		return badRequest("InvalidRequest", "Checksum algorithm provided is unsupported. Please try again with any of the valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256]")
	}
	u.composite = kind != "FULL_OBJECT" && u.algorithm != "CRC64NVME"
	c.w.Header().Set("x-amz-checksum-algorithm", u.algorithm)
	c.w.Header().Set("x-amz-checksum-type", checksum{composite: u.composite}.kind())
	return nil
}

func (c *call) addUpload(u *upload) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return err
	}
	b.uploads[u.id] = u
	return nil
}

// findUpload is the upload of the request. The caller holds mu.
func (c *call) findUpload() (*bucket, *upload, error) {
	b, err := c.locate(c.bucket)
	if err != nil {
		return nil, nil, err
	}
	id := c.query.Get("uploadId")
	u, ok := b.uploads[id]
	if !ok || u.key != c.key {
		return nil, nil, errNoSuchUpload(id)
	}
	return b, u, nil
}

// uploadPart answers UploadPart
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPart.html).
func (c *call) uploadPart() error {
	number, err := c.partNumber()
	if err != nil {
		return err
	}
	algorithm, _ := announced(c.r.Header)
	if err := c.checkPart(algorithm, false); err != nil {
		return err
	}
	body, err := c.receive()
	if err != nil {
		return err
	}
	p := &part{number: number, content: body.content, md5: body.md5, checksum: body.checksum}
	if err := c.addPart(p); err != nil {
		return err
	}
	c.w.Header().Set("ETag", `"`+p.etag()+`"`)
	if p.checksum.algorithm != "" {
		c.w.Header().Set(checksumHeader(p.checksum.algorithm), p.checksum.value)
	}
	c.reply(http.StatusOK, nil)
	return nil
}

// partNumber reads the partNumber parameter.
func (c *call) partNumber() (int, error) {
	n, err := strconv.Atoi(c.query.Get("partNumber"))
	if err != nil || n < 1 || n > s3.MaxPartNumber {
		return 0, badRequest("InvalidArgument", "Part number must be an integer between 1 and %d, inclusive", s3.MaxPartNumber).
			with("ArgumentName", "partNumber")
	}
	return n, nil
}

// checkPart refuses a part whose checksum has another type than the upload, before its
// body is read.
func (c *call) checkPart(algorithm string, isCopy bool) error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, u, err := c.findUpload()
	if err != nil {
		return err
	}
	if err := sameCustomerKey(c.r.Header, customerHeader, u.props); err != nil {
		return err
	}
	if isCopy || algorithm == u.algorithm || algorithm == "" && !u.composite {
		return nil
	}
	return badRequest("InvalidRequest", "Checksum Type mismatch occurred, expected checksum Type: %s, actual checksum Type: %s",
		orNull(u.algorithm), orNull(algorithm))
}

func orNull(s string) string {
	if s == "" {
		return "null"
	}
	return s
}

// addPart stores p, in place of an earlier part of the same number.
func (c *call) addPart(p *part) error {
	p.modified = c.now()
	c.mu.RLock()
	_, u, err := c.findUpload()
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	if u.algorithm != "" && p.checksum.algorithm == "" {
		p.checksum = checksumOf(u.algorithm, p.content)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, u, err = c.findUpload(); err != nil {
		return err
	}
	u.parts[p.number] = p
	return nil
}

// uploadPartCopy answers UploadPartCopy
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_UploadPartCopy.html).
func (c *call) uploadPartCopy() error {
	number, err := c.partNumber()
	if err != nil {
		return err
	}
	if err := c.checkPart("", true); err != nil {
		return err
	}
	src, _, err := c.source()
	if err != nil {
		return err
	}
	first, n, err := c.copyRange(src.content.size())
	if err != nil {
		return err
	}
	if n > c.opts.MaxPutSize {
		return badRequest("InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: %d", c.opts.MaxPutSize)
	}
	p := &part{number: number, content: src.content.slice(first, n)}
	p.md5 = c.copySum(p.content)
	if err := c.addPart(p); err != nil {
		return err
	}
	c.replyCopy("CopyPartResult", &object{etag: p.etag(), modified: p.modified, checksum: p.checksum})
	return nil
}

// copySum is the MD5 of copied bytes or, where that would take long, one of
// a number that never comes again: the ETag of copied gigabytes is opaque to
// every client.
func (c *call) copySum(body content) []byte {
	if body.size() <= maxCopySum {
		return body.sum(newMD5())
	}
	return newContent([]byte(c.nextID())).sum(newMD5())
}

// maxCopySum is 0.1 s of MD5.
const maxCopySum = 64 << 20

// abortUpload answers AbortMultipartUpload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_AbortMultipartUpload.html).
func (c *call) abortUpload() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, u, err := c.findUpload()
	if err != nil {
		return err
	}
	delete(b.uploads, u.id)
	c.reply(http.StatusNoContent, nil)
	return nil
}
