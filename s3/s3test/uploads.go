package s3test

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// listParts answers ListParts
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html).
func (c *call) listParts() error {
	limit, err := c.count("max-parts", s3.MaxListKeys)
	if err != nil {
		return err
	}
	after, err := c.count("part-number-marker", s3.MaxPartNumber)
	if err != nil {
		return err
	}
	if !c.has("part-number-marker") {
		after = 0
	}
	c.mu.RLock()
	_, u, err := c.findUpload()
	var parts []*part
	if err == nil {
		parts = slices.Collect(maps.Values(u.parts))
	}
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	parts = slices.DeleteFunc(parts, func(p *part) bool { return p.number <= after })
	slices.SortFunc(parts, func(a, b *part) int { return cmp.Compare(a.number, b.number) })
	more := len(parts) > limit
	c.reply(http.StatusOK, c.partsPage(u, parts[:min(limit, len(parts))], more, after, limit))
	return nil
}

// partsPage writes a page of parts.
func (c *call) partsPage(u *upload, parts []*part, more bool, after, limit int) *xmlWriter {
	x := newXML("ListPartsResult")
	x.text("Bucket", c.bucket)
	x.text("Key", c.key)
	x.text("UploadId", u.id)
	x.number("PartNumberMarker", int64(after))
	if len(parts) > 0 {
		x.number("NextPartNumberMarker", int64(parts[len(parts)-1].number))
	}
	x.number("MaxParts", int64(limit))
	x.flag("IsTruncated", more)
	x.text("StorageClass", storageClass(u.props))
	if u.algorithm != "" {
		x.text("ChecksumAlgorithm", u.algorithm)
		x.text("ChecksumType", checksum{composite: u.composite}.kind())
	}
	for _, p := range parts {
		x.in("Part", func() {
			x.number("PartNumber", int64(p.number))
			x.text("LastModified", xmlTime(p.modified))
			x.text("ETag", `"`+p.etag()+`"`)
			x.number("Size", p.content.size())
			p.checksum.element(x)
		})
	}
	x.end("ListPartsResult")
	return x
}

// listUploads answers ListMultipartUploads
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html).
func (c *call) listUploads() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	if l.maxKeys, err = c.count("max-uploads", s3.MaxListKeys); err != nil {
		return err
	}
	l.after = c.query.Get("key-marker")
	uploads, err := c.sortedUploads(l.prefix, l.after, c.query.Get("upload-id-marker"))
	if err != nil {
		return err
	}
	x := newXML("ListMultipartUploadsResult")
	x.text("Bucket", c.bucket)
	x.text("Prefix", l.encode(l.prefix))
	if l.delimiter != "" {
		x.text("Delimiter", l.encode(l.delimiter))
	}
	x.text("KeyMarker", l.encode(l.after))
	x.text("UploadIdMarker", c.query.Get("upload-id-marker"))
	x.number("MaxUploads", int64(l.maxKeys))
	c.encodingType(x)
	c.uploadRows(x, l, uploads)
	x.end("ListMultipartUploadsResult")
	c.reply(http.StatusOK, x)
	return nil
}

// sortedUploads are the uploads after the markers, by key and then by age.
func (c *call) sortedUploads(prefix, keyMarker, idMarker string) ([]*upload, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return nil, err
	}
	var out []*upload
	for _, u := range b.uploads {
		after := u.key > keyMarker || keyMarker == "" || u.key == keyMarker && idMarker != "" && u.id > idMarker
		if after && strings.HasPrefix(u.key, prefix) {
			out = append(out, u)
		}
	}
	slices.SortFunc(out, func(a, b *upload) int {
		return cmp.Or(strings.Compare(a.key, b.key), strings.Compare(a.id, b.id))
	})
	return out, nil
}

// uploadRows writes the rows of one page.
func (c *call) uploadRows(x *xmlWriter, l listing, uploads []*upload) {
	var prefixes []string
	rows := 0
	var last *upload
	more := false
	for _, u := range uploads {
		common, isCommon := commonPrefix(u.key, l.prefix, l.delimiter)
		seen := isCommon && (common == l.after || len(prefixes) > 0 && prefixes[len(prefixes)-1] == common)
		if seen {
			last = u
			continue
		}
		if rows == l.maxKeys {
			more = true
			break
		}
		rows, last = rows+1, u
		if isCommon {
			prefixes = append(prefixes, common)
			continue
		}
		x.in("Upload", func() {
			x.text("Key", l.encode(u.key))
			x.text("UploadId", u.id)
			writeOwner(x, "Initiator")
			writeOwner(x, "Owner")
			x.text("StorageClass", storageClass(u.props))
			x.text("Initiated", xmlTime(u.initiated))
		})
	}
	for _, p := range prefixes {
		x.in("CommonPrefixes", func() { x.text("Prefix", l.encode(p)) })
	}
	if more && last != nil {
		x.text("NextKeyMarker", l.encode(last.key))
		x.text("NextUploadIdMarker", last.id)
	}
	x.flag("IsTruncated", more)
}
