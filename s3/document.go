package s3

import (
	"errors"
	"fmt"
	"io"
	"slices"
)

// maxDocument bounds an XML answer. A page of 1000 keys of 1024 bytes, each
// byte as "%25" or "&#x1F;", with 500 bytes around each key, stays below 8 MiB.
const maxDocument = 16 << 20

var errDocumentTooLarge = errors.New("document is too large")

// readDocument passes the whole XML answer to f. The slice is f's during the
// call only.
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

// permanentError marks an answer that would not be different the next time.
type permanentError struct{ error }

func (e permanentError) Unwrap() error { return e.error }

// badDocument is the error for an answer that is XML, or not even that, but
// not what S3 answers.
func badDocument(data []byte, err error) error {
	return permanentError{fmt.Errorf("answer is not S3's: %w: %s", err, firstLine(data))}
}

// errorIn200 is the <Error> that stands in the body of a response with status
// 200, which copies and completions send when they fail late.
func errorIn200(data []byte) error {
	e := &Error{}
	if err := parseError(data, e); err != nil {
		return badDocument(data, err)
	}
	e.classify()
	return e
}

// parseDocument walks a document, whose root element is want, or at least has
// one of the children that S3 puts there: some servers give it another name. f
// gets an empty parent for the children of the root. A document that has a
// Code in place of that is an error, and is returned as one.
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

// ofRoot is the parent that parseDocument shows for the children of the root.
var ofRoot = []byte{}
