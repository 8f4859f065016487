package s3test

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// listing contains the parameters of a LIST of either version.
type listing struct {
	prefix, delimiter, after string
	maxKeys                  int
	encode                   func(string) string
}

// listing reads the parameters that both kinds have.
func (c *call) listing() (listing, error) {
	l := listing{
		prefix: c.query.Get("prefix"), delimiter: c.query.Get("delimiter"),
		encode: func(s string) string { return s },
	}
	var err error
	if l.maxKeys, err = c.count("max-keys", s3.MaxListKeys); err != nil {
		return l, err
	}
	switch c.query.Get("encoding-type") {
	case "":
	case "url":
		l.encode = c.urlEncoder()
	default:
		return l, badRequest("InvalidArgument", "Invalid Encoding Method specified in Request")
	}
	return l, nil
}

// urlEncoder is how this server writes keys where encoding-type=url is asked for.
func (c *call) urlEncoder() func(string) string {
	switch {
	case c.opts.NoURLEncoding:
		return func(s string) string { return s }
	case c.opts.PlusEncoding:
		return func(s string) string { return encodeKey(s, "+") }
	}
	return func(s string) string { return encodeKey(s, "%20") }
}

// count reads a parameter that limits an answer.
func (c *call) count(name string, limit int) (int, error) {
	value := c.query.Get(name)
	if value == "" {
		return limit, nil
	}
	n, err := strconv.ParseInt(value, 10, 32)
	if err != nil || n < 0 {
		return 0, badRequest("InvalidArgument", "Provided %s not an integer or within integer range", name)
	}
	return min(int(n), limit), nil
}

// page takes one page of the bucket.
func (c *call) page(l listing) (rows []row, more bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(c.bucket)
	if err != nil || l.maxKeys == 0 {
		return nil, false, err
	}
	rows, more = b.list(l.prefix, l.delimiter, l.after, min(l.maxKeys, c.opts.MaxKeys))
	return rows, more, nil
}

// listObjectsV2 answers ListObjectsV2
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
func (c *call) listObjectsV2() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	startAfter, token := c.query.Get("start-after"), c.query.Get("continuation-token")
	l.after = startAfter
	if c.has("continuation-token") {
		raw, err := base64.URLEncoding.DecodeString(token)
		if err != nil || len(raw) == 0 {
			return badRequest("InvalidArgument", "The continuation token provided is incorrect")
		}
		if c.lacks(s3.FeatureListToken, s3.SupportRefused) {
			return badRequest("InvalidArgument", "The continuation token provided is incorrect")
		}
		l.after = string(raw)
	}
	rows, more, err := c.page(l)
	if err != nil {
		return err
	}
	x := newXML("ListBucketResult")
	c.listHead(x, l, more)
	x.number("KeyCount", int64(len(rows)))
	if token != "" {
		x.text("ContinuationToken", token)
	}
	if startAfter != "" {
		x.text("StartAfter", l.encode(startAfter))
	}
	if more && !c.lacks(s3.FeatureListToken, s3.SupportIgnored) {
		x.text("NextContinuationToken", base64.URLEncoding.EncodeToString([]byte(rows[len(rows)-1].key)))
	}
	c.listRows(x, l, rows, c.query.Get("fetch-owner") == "true")
	x.end("ListBucketResult")
	c.reply(http.StatusOK, x)
	return nil
}

// listObjects answers ListObjects, the first version
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjects.html).
func (c *call) listObjects() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	l.after = c.query.Get("marker")
	rows, more, err := c.page(l)
	if err != nil {
		return err
	}
	x := newXML("ListBucketResult")
	c.listHead(x, l, more)
	x.text("Marker", l.encode(l.after))
	if more && l.delimiter != "" {
		x.text("NextMarker", l.encode(rows[len(rows)-1].key))
	}
	c.listRows(x, l, rows, true)
	x.end("ListBucketResult")
	c.reply(http.StatusOK, x)
	return nil
}

// listHead writes the elements that say what was asked for.
func (c *call) listHead(x *xmlWriter, l listing, more bool) {
	x.text("Name", c.bucket)
	x.text("Prefix", l.encode(l.prefix))
	if l.delimiter != "" {
		x.text("Delimiter", l.encode(l.delimiter))
	}
	x.number("MaxKeys", int64(l.maxKeys))
	c.encodingType(x)
	x.flag("IsTruncated", more)
}

// encodingType writes that keys are encoded, if they are.
func (c *call) encodingType(x *xmlWriter) {
	if c.has("encoding-type") && !c.opts.NoURLEncoding {
		x.text("EncodingType", "url")
	}
}

// listRows writes the objects and then the common prefixes.
func (c *call) listRows(x *xmlWriter, l listing, rows []row, owner bool) {
	for _, r := range rows {
		if o := r.object; o != nil {
			x.in("Contents", func() {
				x.text("Key", l.encode(r.key))
				c.listedObject(x, o, owner)
			})
		}
	}
	for _, r := range rows {
		if r.object == nil {
			x.in("CommonPrefixes", func() { x.text("Prefix", l.encode(r.key)) })
		}
	}
}

// listedObject writes the elements of an object in a listing except for its key.
func (c *call) listedObject(x *xmlWriter, o *object, owner bool) {
	x.text("LastModified", xmlTime(o.modified.Add(listedFraction)))
	x.text("ETag", c.etag(o))
	x.number("Size", o.content.size())
	if o.checksum.algorithm != "" {
		x.text("ChecksumAlgorithm", o.checksum.algorithm)
		x.text("ChecksumType", o.checksum.kind())
	}
	if owner {
		writeOwner(x, "Owner")
	}
	x.text("StorageClass", storageClass(o.props))
}

// writeOwner writes the one user of this server.
func writeOwner(x *xmlWriter, element string) {
	x.in(element, func() {
		x.text("ID", "s3test")
		x.text("DisplayName", "s3test")
	})
}

// storageClass is the class as listings have it.
func storageClass(p *properties) string {
	if p.storageClass == "" {
		return "STANDARD"
	}
	return p.storageClass
}

// listedFraction makes the date of a row more precise than the Last-Modified
// header of the same object, as MinIO and Ceph do.
const listedFraction = 250 * time.Millisecond
