package s3test

import (
	"bufio"
	"encoding/hex"
	"io"
	"strconv"
	"strings"
)

// maxChunkLine bounds a chunk header or trailer line; signatures are 64 characters.
const maxChunkLine = 4 << 10

// chunkedReader decodes a body in aws-chunked encoding and its trailers
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html and
// .../sigv4-streaming-trailers.html).
type chunkedReader struct {
	r       *bufio.Reader
	verify  *chunkVerifier // nil: signatures are not checked
	left    int64          // of the current chunk
	done    bool
	trailer map[string]string // names in lower case
}

func newChunkedReader(r io.Reader, verify *chunkVerifier) *chunkedReader {
	return &chunkedReader{r: bufio.NewReaderSize(r, 64<<10), verify: verify, trailer: map[string]string{}}
}

// errChunk returns the error of S3 for a body that does not follow its encoding.
func errChunk() *apiError {
	return badRequest("IncompleteBody", "The request body terminated unexpectedly")
}

// Read implements io.Reader over the bytes of the object.
func (c *chunkedReader) Read(p []byte) (int, error) {
	if c.left == 0 {
		if c.done {
			return 0, io.EOF
		}
		if err := c.nextChunk(); err != nil {
			return 0, err
		}
		if c.done {
			return 0, io.EOF
		}
	}
	n, err := c.r.Read(p[:min(int64(len(p)), c.left)])
	c.left -= int64(n)
	if c.verify != nil {
		c.verify.write(p[:n])
	}
	if err == io.EOF {
		return n, errChunk()
	}
	if err != nil || c.left > 0 {
		return n, err
	}
	return n, c.endChunk()
}

// nextChunk reads a chunk header, and after the last chunk the trailers.
func (c *chunkedReader) nextChunk() error {
	line, err := c.line()
	if err != nil {
		return err
	}
	size, extension, _ := strings.Cut(line, ";")
	if c.left, err = strconv.ParseInt(size, 16, 64); err != nil || c.left < 0 {
		return errChunk()
	}
	if c.verify != nil {
		c.verify.begin(strings.TrimPrefix(extension, "chunk-signature="))
	}
	if c.left > 0 {
		return nil
	}
	c.done = true
	if c.verify != nil {
		if err := c.verify.end(); err != nil {
			return err
		}
	}
	return c.readTrailers()
}

// endChunk reads the line break after a chunk's data.
func (c *chunkedReader) endChunk() error {
	if line, err := c.line(); err != nil || line != "" {
		return errChunk()
	}
	if c.verify != nil {
		return c.verify.end()
	}
	return nil
}

// readTrailers reads name:value lines to the empty line or the end.
func (c *chunkedReader) readTrailers() error {
	var signed strings.Builder
	for {
		line, err := c.line()
		if err != nil || line == "" {
			break
		}
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return badRequest("MalformedTrailerError", "The trailer is not well-formed.")
		}
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(value)
		c.trailer[name] = value
		if name != trailerSignature {
			signed.WriteString(name + ":" + value + "\n")
		}
	}
	if c.verify != nil && c.verify.trailers {
		return c.verify.endTrailer(signed.String(), c.trailer[trailerSignature])
	}
	return nil
}

// trailerSignature signs the other trailers.
const trailerSignature = "x-amz-trailer-signature"

// line reads one line without its line break.
func (c *chunkedReader) line() (string, error) {
	line, err := c.r.ReadSlice('\n')
	if err != nil || len(line) > maxChunkLine {
		return "", errChunk()
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}

// emptyHash is the SHA-256 of nothing, in hex.
func emptyHash() string { return hex.EncodeToString(sha256Sum("")) }
