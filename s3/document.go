package s3

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxDocument is the largest XML answer in bytes. A page of 1000 keys of 1024 bytes,
// each byte as "%25" or "&#x1F;", with 500 bytes around each key, stays below 8 MiB.
const maxDocument = 16 << 20

var errDocumentTooLarge = errors.New("document is too large")

// readDocument reads the whole XML answer and passes it to f. f must not keep the
// slice.
func (c *Client) readDocument(resp *response, f func(data []byte) error) error {
	if resp.length > maxDocument {
		return permanentError{errDocumentTooLarge}
	}
	buf := c.pool.get()
	defer c.pool.put(buf)
	data := (*buf)[:0]
	if resp.length > int64(cap(data)) {
		data = make([]byte, 0, resp.length+1)
	}
	for {
		n, err := resp.body.Read(data[len(data):cap(data)])
		data = data[:len(data)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(data) > maxDocument {
			return permanentError{errDocumentTooLarge}
		}
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
	}
	return f(data)
}

// permanentError marks an answer that a retry would not change.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// badDocument returns the error for an answer that S3 would not send.
func badDocument(data []byte, err error) error {
	return permanentError{fmt.Errorf("answer is not S3's: %w: %s", err, firstLine(data))}
}

// errorIn200 parses the <Error> in a response with status 200. CopyObject and
// CompleteMultipartUpload send one if they fail after they have sent the status.
func errorIn200(data []byte) error {
	e := &Error{}
	if err := parseError(data, e); err != nil {
		return badDocument(data, err)
	}
	e.classify()
	return e
}

// parseDocument walks a document. Its root element must be want or have one of the
// given children, because some servers name the root differently. f gets ofRoot as the
// parent of the root's children. parseDocument returns an *Error if the document is an
// error.
func parseDocument(data []byte, want string, f xmlElement, children ...string) error {
	var root string
	isError, known := false, false
	s := xmlScanner{data: data}
	err := s.walk(func(parent, name, text []byte) error {
		if parent == nil {
			root = string(name)
			return nil
		}
		if s.depth == 1 {
			parent = ofRoot
			isError = isError || string(name) == "Code"
			known = known || slices.Contains(children, string(name))
		}
		return f(parent, name, text)
	})
	if err == nil && (root == "Error" || isError) {
		return errorIn200(data)
	}
	if err == nil && root != want && !known {
		err = fmt.Errorf("root element is %q, not %s", clip(root, 40), want)
	}
	if err != nil {
		return badDocument(data, err)
	}
	return nil
}

// ofRoot is the parent that parseDocument passes for the children of the root.
var ofRoot = []byte{}
