package s3test

import (
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// completedPart is one part in a CompleteMultipartUpload document.
type completedPart struct {
	PartNumber        int
	ETag              string
	ChecksumCRC32     string
	ChecksumCRC32C    string
	ChecksumCRC64NVME string
	ChecksumSHA1      string
	ChecksumSHA256    string
}

// checksum returns the checksum of the document for this algorithm.
func (p completedPart) checksum(algorithm string) string {
	switch algorithm {
	case "CRC32":
		return p.ChecksumCRC32
	case "CRC32C":
		return p.ChecksumCRC32C
	case "CRC64NVME":
		return p.ChecksumCRC64NVME
	case "SHA1":
		return p.ChecksumSHA1
	}
	return p.ChecksumSHA256
}

// completeUpload answers CompleteMultipartUpload
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CompleteMultipartUpload.html).
func (c *call) completeUpload() error {
	var in struct {
		XMLName xml.Name        `xml:"CompleteMultipartUpload"`
		Parts   []completedPart `xml:"Part"`
	}
	body, err := readContent(c.body, c.r.ContentLength)
	if err != nil {
		return err
	}
	if err := parseXML(body.bytes(), &in); err != nil || len(in.Parts) == 0 {
		return errMalformedXML()
	}
	u, o, err := c.assemble(in.Parts)
	if err != nil {
		return err
	}
	if err := c.finish(u, o); err != nil {
		return err
	}
	c.stored(o)
	c.w.Header().Del("ETag") // it is in the document
	x := newXML("CompleteMultipartUploadResult")
	x.text("Location", c.URL()+"/"+c.bucket+"/"+encodeKey(c.key, "%20"))
	x.text("Bucket", c.bucket)
	x.text("Key", c.key)
	if c.opts.ResultsAsCeph {
		x.text("ETag", "")
	} else {
		x.text("ETag", c.etag(o))
	}
	o.checksum.element(x)
	if o.checksum.algorithm != "" {
		x.text("ChecksumType", o.checksum.kind())
	}
	x.end("CompleteMultipartUploadResult")
	c.reply(http.StatusOK, x)
	return nil
}

// assemble makes the object out of the listed parts. The bytes are joined
// and hashed without the lock: parts are immutable.
func (c *call) assemble(listed []completedPart) (*upload, *object, error) {
	u, parts, err := c.chosenParts(listed)
	if err != nil {
		return nil, nil, err
	}
	o := &object{props: u.props}
	sums := newMD5()
	contents := make([]content, len(parts))
	end := int64(0)
	for i, p := range parts {
		size := p.content.size()
		if size < c.opts.MinPartSize && i < len(parts)-1 {
			return nil, nil, badRequest("EntityTooSmall", "Your proposed upload is smaller than the minimum allowed size").
				with("ProposedSize", strconv.FormatInt(size, 10)).with("MinSizeAllowed", strconv.FormatInt(c.opts.MinPartSize, 10)).
				with("PartNumber", strconv.Itoa(p.number)).with("ETag", p.etag())
		}
		contents[i] = p.content
		end += size
		o.parts = append(o.parts, end)
		_, _ = sums.Write(p.md5)
	}
	o.content = join(contents...)
	o.etag = hex.EncodeToString(sums.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	switch {
	case u.algorithm == "":
	case u.composite:
		o.checksum = compositeOf(u.algorithm, parts)
	default:
		o.checksum = checksumOf(u.algorithm, o.content)
	}
	return u, o, c.checkWhole(u, o)
}

// checkWhole holds the object to the checksum in the request's headers.
func (c *call) checkWhole(u *upload, o *object) error {
	if u.algorithm == "" {
		return nil
	}
	want, _, _ := strings.Cut(c.r.Header.Get(checksumHeader(u.algorithm)), "-")
	got, _, _ := strings.Cut(o.checksum.value, "-")
	if want != "" && want != got {
		return badRequest("BadDigest", "The %s you specified did not match the calculated checksum.", u.algorithm)
	}
	return nil
}

// chosenParts are the parts that the document lists.
func (c *call) chosenParts(listed []completedPart) (*upload, []*part, error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, u, err := c.findUpload()
	if err != nil {
		return nil, nil, err
	}
	if err := c.writeConditions(b, c.key); err != nil {
		return nil, nil, err
	}
	parts := make([]*part, len(listed))
	for i, want := range listed {
		if i > 0 && want.PartNumber <= listed[i-1].PartNumber {
			return nil, nil, badRequest("InvalidPartOrder", "The list of parts was not in ascending order. Parts must be ordered by part number.")
		}
		p, ok := u.parts[want.PartNumber]
		if !ok || strings.Trim(want.ETag, `"`) != p.etag() {
			return nil, nil, errInvalidPart(want)
		}
		if err := checkListed(u, want, p); err != nil {
			return nil, nil, err
		}
		parts[i] = p
	}
	return u, parts, nil
}

// checkListed holds a listed part's checksum to the stored one.
func checkListed(u *upload, want completedPart, p *part) error {
	if u.algorithm == "" {
		return nil
	}
	sum := want.checksum(u.algorithm)
	if sum == "" && u.composite {
		return badRequest("InvalidRequest", "The upload was created using a %s checksum. The complete request must include the checksum for each part. It was missing for part %d in the request.",
			strings.ToLower(u.algorithm), want.PartNumber)
	}
	if sum != "" && sum != p.checksum.value {
		return errInvalidPart(want)
	}
	return nil
}

func errInvalidPart(p completedPart) *apiError {
	return badRequest("InvalidPart", "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified entity tag may not match the part's entity tag.").
		with("PartNumber", fmt.Sprint(p.PartNumber)).with("ETag", p.ETag)
}

// finish makes o visible and ends the upload, if the conditions still hold.
func (c *call) finish(u *upload, o *object) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, current, err := c.findUpload()
	if err != nil {
		return err
	}
	if current != u {
		return errNoSuchUpload(u.id)
	}
	if err := c.writeConditions(b, c.key); err != nil {
		return err
	}
	c.stamp(b, o)
	b.put(c.key, o)
	delete(b.uploads, u.id)
	return nil
}
