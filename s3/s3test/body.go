package s3test

import (
	"crypto/md5" //nolint:gosec // an S3 ETag is an MD5
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"hash"
	"io"
	"strconv"
	"strings"
)

// received is a request body with its checksums.
type received struct {
	content  content
	md5      []byte
	checksum checksum
}

// receive reads the body of a PUT and holds it to everything the client said
// of it: length, Content-MD5, checksums in headers or trailers, the signed hash.
func (c *call) receive() (*received, error) {
	size, err := c.bodySize()
	if err != nil {
		return nil, err
	}
	algorithm, _ := announced(c.r.Header)
	sum := md5.New() //nolint:gosec // an S3 ETag is an MD5
	sinks := []io.Writer{sum}
	var extra, signed hash.Hash
	if algorithm != "" {
		extra = newHash(algorithm)
		sinks = append(sinks, extra)
	}
	claimed := c.r.Header.Get("x-amz-content-sha256")
	if len(claimed) == hex.EncodedLen(sha256.Size) {
		signed = sha256.New()
		sinks = append(sinks, signed)
	}
	body, err := readContent(io.TeeReader(c.body, io.MultiWriter(sinks...)), size)
	if err != nil {
		return nil, err
	}
	if body.size() != size {
		return nil, io.ErrUnexpectedEOF
	}
	if signed != nil && hex.EncodeToString(signed.Sum(nil)) != claimed {
		return nil, badRequest("XAmzContentSHA256Mismatch",
			"The provided 'x-amz-content-sha256' header does not match what was computed.")
	}
	r := &received{content: body, md5: sum.Sum(nil)}
	if err := c.checkMD5(r.md5); err != nil {
		return nil, err
	}
	if algorithm == "" {
		return r, nil
	}
	r.checksum = checksum{algorithm: algorithm, value: base64.StdEncoding.EncodeToString(extra.Sum(nil))}
	return r, c.checkChecksum(r.checksum)
}

// bodySize is the length that the client announced.
func (c *call) bodySize() (int64, error) {
	size := c.r.ContentLength
	if c.chunked() {
		if c.opts.NoTrailers {
			return 0, errNotImplemented("Transfer-Encoding")
		}
		n, err := strconv.ParseInt(c.r.Header.Get("x-amz-decoded-content-length"), 10, 64)
		if err != nil || n < 0 {
			return 0, fail(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
		}
		size = n
	}
	if size < 0 {
		return 0, fail(411, "MissingContentLength", "You must provide the Content-Length HTTP header.")
	}
	if size > c.opts.MaxPutSize {
		return 0, badRequest("EntityTooLarge", "Your proposed upload exceeds the maximum allowed size").
			with("ProposedSize", strconv.FormatInt(size, 10)).
			with("MaxSizeAllowed", strconv.FormatInt(c.opts.MaxPutSize, 10))
	}
	return size, nil
}

// chunked reports whether the body uses the aws-chunked encoding.
func (c *call) chunked() bool {
	return strings.HasPrefix(c.r.Header.Get("x-amz-content-sha256"), "STREAMING-")
}

// checkMD5 compares the body with Content-MD5.
func (c *call) checkMD5(sum []byte) error {
	want := c.r.Header.Get("Content-MD5")
	if want == "" {
		return nil
	}
	raw, err := base64.StdEncoding.DecodeString(want)
	if err != nil || len(raw) != len(sum) {
		return badRequest("InvalidDigest", "The Content-MD5 you specified was invalid.")
	}
	if string(raw) != string(sum) {
		return badRequest("BadDigest", "The Content-MD5 you specified did not match what we received.").
			with("ExpectedDigest", hex.EncodeToString(raw)).with("CalculatedDigest", base64.StdEncoding.EncodeToString(sum))
	}
	return nil
}

// checkChecksum holds the computed checksum to the client's.
func (c *call) checkChecksum(got checksum) error {
	want := c.r.Header.Get(checksumHeader(got.algorithm))
	if trailers, ok := c.body.(*chunkedReader); ok && want == "" {
		want = trailers.trailer[checksumHeader(got.algorithm)]
	}
	if want == "" {
		return badRequest("MalformedTrailerError",
			"The request contained trailing data that was not well-formed or did not conform to our published schema.")
	}
	if raw, err := base64.StdEncoding.DecodeString(want); err != nil || len(raw) != newHash(got.algorithm).Size() {
		return badRequest("InvalidRequest", "Value for %s header is invalid.", checksumHeader(got.algorithm))
	}
	if want != got.value {
		return badRequest("BadDigest", "The %s you specified did not match the calculated checksum.", got.algorithm)
	}
	return nil
}
