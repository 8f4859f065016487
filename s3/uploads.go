package s3

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// ListUploads returns one page of the unfinished uploads of a bucket
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListMultipartUploads.html).
func (c *Client) ListUploads(ctx context.Context, in *ListUploadsInput) (*UploadsPage, error) {
	page, encoded, err := c.listUploads(ctx, in, true)
	if err == nil && !encoded && page.hasPercent() {
		// Ceph RGW 16 encodes keys and does not say so, other servers do neither. A request
		// without encoding-type has one meaning.
		page, _, err = c.listUploads(ctx, in, false)
	}
	return page, err
}

// listUploads asks for one page. encoded reports whether the server said that it encoded the keys,
// which have been decoded then.
func (c *Client) listUploads(ctx context.Context, in *ListUploadsInput, encode bool) (page *UploadsPage, encoded bool, err error) {
	q := make(query, 0, 7)
	q = append(q, param{"uploads", ""})
	if encode {
		q = append(q, param{"encoding-type", "url"})
	}
	q = q.add("prefix", in.Prefix).add("delimiter", in.Delimiter).add("key-marker", in.KeyMarker)
	if in.KeyMarker != "" {
		q = q.add("upload-id-marker", in.UploadIDMarker)
	}
	if in.MaxUploads > 0 {
		q = q.add("max-uploads", strconv.Itoa(min(in.MaxUploads, MaxListKeys)))
	}
	k := &call{op: "ListMultipartUploads", method: http.MethodGet, bucket: in.Bucket, params: q,
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) (err error) {
				page, encoded, err = parseUploads(data, in.Bucket)
				return err
			})
		}}
	if _, err := c.do(ctx, k); err != nil {
		return nil, false, err
	}
	if page.Truncated && page.NextKeyMarker == in.KeyMarker && page.NextUploadIDMarker == in.UploadIDMarker {
		return nil, false, k.fail(errListLoop)
	}
	return page, encoded, nil
}

// hasPercent reports whether a key of the page may be encoded.
func (p *UploadsPage) hasPercent() bool {
	percent := func(key string) bool { return strings.Contains(key, "%") }
	return percent(p.NextKeyMarker) || slices.ContainsFunc(p.CommonPrefixes, percent) ||
		slices.ContainsFunc(p.Uploads, func(u ListedUpload) bool { return percent(u.Key) })
}

func parseUploads(data []byte, bucket string) (page *UploadsPage, encoded bool, err error) {
	page = &UploadsPage{}
	cur := ListedUpload{}
	err = parseDocument(data, "ListMultipartUploadsResult", func(parent, name, text []byte) error {
		switch string(parent) {
		case "Upload":
			switch string(name) {
			case "Key":
				cur.Key = string(text)
			case "UploadId":
				cur.ID = string(text)
			case "Initiated":
				cur.Initiated = listedTime(text)
			case "ChecksumAlgorithm":
				cur.Checksum = ChecksumAlgorithm(text)
			case "StorageClass":
				cur.StorageClass = storageClass(string(text))
			}
		case "CommonPrefixes":
			page.CommonPrefixes = append(page.CommonPrefixes, string(text))
		case "":
			switch string(name) {
			case "Upload":
				cur.Bucket = bucket
				page.Uploads = append(page.Uploads, cur)
				cur = ListedUpload{}
			case "IsTruncated":
				page.Truncated = string(text) == "true"
			case "NextKeyMarker":
				page.NextKeyMarker = string(text)
			case "NextUploadIdMarker":
				page.NextUploadIDMarker = string(text)
			case "EncodingType":
				encoded = string(text) == "url"
			}
		}
		return pageFull(len(page.Uploads) + len(page.CommonPrefixes))
	}, "Upload", "IsTruncated", "CommonPrefixes")
	if err != nil {
		return nil, false, err
	}
	if encoded {
		page.decode()
	}
	return page, encoded, nil
}

func (p *UploadsPage) decode() {
	p.NextKeyMarker = unescapeListed(p.NextKeyMarker)
	for i := range p.Uploads {
		p.Uploads[i].Key = unescapeListed(p.Uploads[i].Key)
	}
	for i := range p.CommonPrefixes {
		p.CommonPrefixes[i] = unescapeListed(p.CommonPrefixes[i])
	}
}

// ListParts returns one page of the parts of an upload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListParts.html). A caller that
// has stored the UploadID can continue the upload after a restart.
func (c *Client) ListParts(ctx context.Context, in *ListPartsInput) (*PartsPage, error) {
	q := make(query, 0, 4)
	if in.PartNumberMarker > 0 {
		q = q.add("part-number-marker", strconv.Itoa(in.PartNumberMarker))
	}
	if in.MaxParts > 0 {
		q = q.add("max-parts", strconv.Itoa(min(in.MaxParts, MaxListKeys)))
	}
	k, err := in.Upload.call("ListParts", http.MethodGet, q)
	if err != nil {
		return nil, err
	}
	in.SSE.apply(k.header, ssecPrefix)
	var page *PartsPage
	k.consume = func(resp *response) error {
		return c.readDocument(resp, func(data []byte) (err error) {
			page, err = parseParts(data)
			return err
		})
	}
	if _, err := c.do(ctx, k); err != nil {
		return nil, err
	}
	if page.Truncated && page.NextMarker <= in.PartNumberMarker {
		return nil, k.fail(errListLoop)
	}
	return page, nil
}

func parseParts(data []byte) (*PartsPage, error) {
	page := &PartsPage{}
	cur := Part{}
	err := parseDocument(data, "ListPartsResult", func(parent, name, text []byte) (err error) {
		switch string(parent) {
		case "Part":
			switch string(name) {
			case "PartNumber":
				cur.Number, err = strconv.Atoi(string(text))
			case "Size":
				cur.Size, err = strconv.ParseInt(string(text), 10, 64)
			case "ETag":
				cur.ETag = string(text)
			case "ChecksumCRC32C":
				cur.Checksum = Checksum{CRC32C, string(text)}
			case "ChecksumCRC64NVME":
				cur.Checksum = Checksum{CRC64NVME, string(text)}
			}
		case "":
			switch string(name) {
			case "Part":
				page.Parts = append(page.Parts, cur)
				cur = Part{}
			case "IsTruncated":
				page.Truncated = string(text) == "true"
			case "NextPartNumberMarker":
				page.NextMarker, err = strconv.Atoi(string(text))
			}
		}
		return errors.Join(err, pageFull(len(page.Parts)))
	}, "Part", "IsTruncated", "UploadId")
	if err != nil {
		return nil, err
	}
	return page, nil
}

// storageClass returns "" for the standard class, which some servers name and others
// omit.
func storageClass(s string) string {
	if s == "STANDARD" {
		return ""
	}
	return s
}
