package s3test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/s3mount/s3mount/s3"
)

// call is one request on its way through the server.
type call struct {
	*Server
	w     http.ResponseWriter
	r     *http.Request
	kind  string
	query url.Values

	bucket, key string
	body        io.Reader // the request body as the object's bytes
	record      *Request
}

// handler answers one kind of request. An *apiError becomes S3's XML error.
type handler func(*call) error

// ServeHTTP implements http.Handler, so that the server can stand behind any listener.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Server: s, w: w, r: r, body: r.Body}
	h := w.Header()
	h.Set("x-amz-request-id", s.nextID())
	h.Set("x-amz-id-2", "s3test")
	h.Set("Server", "AmazonS3")
	h.Set("Date", httpTime(s.opts.Now()))
	handle, err := c.arrive()
	if err == nil {
		err = c.serve(handle)
	}
	if err != nil {
		c.drain()
		c.fail(err)
	}
}

// arrive parses and counts the request and finds its handler.
func (c *call) arrive() (handler, error) {
	err := c.parse()
	var handle handler
	if err == nil {
		c.kind, handle = c.route()
	}
	c.record = &Request{Kind: c.kind, Bucket: c.bucket, Key: c.key, Query: c.r.URL.RawQuery, Header: c.r.Header}
	c.log.begin(c.record)
	return handle, err
}

// serve authenticates and answers.
func (c *call) serve(handle handler) error {
	if handle == nil {
		return errMethodNotAllowed(c.r.Method)
	}
	if err := c.authenticate(); err != nil {
		return err
	}
	if d := c.opts.Deny; d != nil && d(c.kind, c.bucket, c.key) {
		return errAccessDenied()
	}
	if err := c.applyQuirks(); err != nil {
		return err
	}
	unlock, err := c.lockKey()
	if err != nil {
		return err
	}
	defer unlock()
	return handle(c)
}

// begin sends the status and the headers.
func (c *call) begin(status int) {
	c.log.answer(c.record, status)
	c.w.WriteHeader(status)
}

// parse takes bucket, key and query out of the URL, byte for byte: nothing is
// cleaned, and a plus sign in the path is itself.
func (c *call) parse() error {
	c.kind = "Unknown"
	rawPath, rawQuery, _ := strings.Cut(c.r.RequestURI, "?")
	if !strings.HasPrefix(rawPath, "/") { // absolute form, as to a proxy
		if u, err := url.Parse(rawPath); err == nil {
			rawPath = u.EscapedPath()
		}
	}
	path, err := url.PathUnescape(rawPath)
	if err != nil || !utf8.ValidString(path) {
		return badRequest("InvalidURI", "Couldn't parse the specified URI.")
	}
	if c.query, err = url.ParseQuery(rawQuery); err != nil {
		return badRequest("InvalidURI", "Couldn't parse the specified URI.")
	}
	path = strings.TrimPrefix(path, "/")
	if bucket, ok := c.virtualHost(); ok {
		c.bucket, c.key = bucket, path
	} else {
		c.bucket, c.key, _ = strings.Cut(path, "/")
	}
	if len(c.key) > s3.MaxKeyLength {
		return badRequest("KeyTooLongError", "Your key is too long").
			with("Size", fmt.Sprint(len(c.key))).with("MaxSizeAllowed", fmt.Sprint(s3.MaxKeyLength))
	}
	return nil
}

// virtualHost is the bucket that the Host header names, if it names one.
func (c *call) virtualHost() (string, bool) {
	if c.opts.Domain == "" {
		return "", false
	}
	host := c.r.Host
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	return strings.CutSuffix(host, "."+c.opts.Domain)
}

// has reports whether the query has this parameter, with or without a value.
func (c *call) has(name string) bool { return c.query.Has(name) }

// route chooses the kind of the request and its handler, nil if there is none.
func (c *call) route() (string, handler) {
	switch {
	case c.bucket == "":
		if c.r.Method == http.MethodGet {
			return "ListBuckets", (*call).listBuckets
		}
	case c.key == "":
		return c.routeBucket()
	default:
		return c.routeObject()
	}
	return "Unknown", nil
}

func (c *call) routeBucket() (string, handler) {
	switch c.r.Method {
	case http.MethodHead:
		return "HeadBucket", (*call).headBucket
	case http.MethodPut:
		if c.has("versioning") {
			return "PutBucketVersioning", (*call).putVersioning
		}
		return "CreateBucket", (*call).createBucket
	case http.MethodDelete:
		return "DeleteBucket", (*call).deleteBucket
	case http.MethodPost:
		if c.has("delete") {
			return "DeleteObjects", (*call).deleteObjects
		}
	case http.MethodGet:
		switch {
		case c.has("location"):
			return "GetBucketLocation", (*call).getLocation
		case c.has("versioning"):
			return "GetBucketVersioning", (*call).getVersioning
		case c.has("uploads"):
			return "ListMultipartUploads", (*call).listUploads
		case c.has("versions"):
			return "ListObjectVersions", (*call).listVersions
		case c.query.Get("list-type") == "2" && !c.lacks(s3.FeatureListV2, s3.SupportIgnored):
			return "ListObjectsV2", (*call).listObjectsV2
		}
		return "ListObjects", (*call).listObjects
	}
	return "Unknown", nil
}

func (c *call) routeObject() (string, handler) {
	upload := c.has("uploadId")
	source := c.r.Header.Get("x-amz-copy-source") != ""
	switch c.r.Method {
	case http.MethodGet:
		switch {
		case upload:
			return "ListParts", (*call).listParts
		case c.has("tagging"):
			return "GetObjectTagging", (*call).getTagging
		}
		return "GetObject", (*call).getObject
	case http.MethodHead:
		return "HeadObject", (*call).getObject
	case http.MethodPut:
		switch {
		case c.has("tagging"):
			return "PutObjectTagging", (*call).putTagging
		case upload && source:
			return "UploadPartCopy", (*call).uploadPartCopy
		case upload:
			return "UploadPart", (*call).uploadPart
		case source:
			return "CopyObject", (*call).copyObject
		}
		return "PutObject", (*call).putObject
	case http.MethodDelete:
		switch {
		case upload:
			return "AbortMultipartUpload", (*call).abortUpload
		case c.has("tagging"):
			return "DeleteObjectTagging", (*call).deleteTagging
		}
		return "DeleteObject", (*call).deleteObject
	case http.MethodPost:
		switch {
		case c.has("uploads"):
			return "CreateMultipartUpload", (*call).createUpload
		case c.has("restore"):
			return "RestoreObject", (*call).restoreObject
		case upload:
			return "CompleteMultipartUpload", (*call).completeUpload
		}
	}
	return "Unknown", nil
}

// reply sends the status and, if there is one, an XML body.
func (c *call) reply(status int, x *xmlWriter) {
	if x == nil {
		c.begin(status)
		return
	}
	x.rename(c.opts.XMLRoot)
	c.w.Header().Set("Content-Type", "application/xml")
	c.w.Header().Set("Content-Length", fmt.Sprint(x.b.Len()))
	c.begin(status)
	_, _ = c.w.Write(x.b.Bytes()) // the client may be gone
}

// fail sends err in the format of S3. A failed read of the request becomes
// IncompleteBody.
func (c *call) fail(err error) {
	var e *apiError
	if !errors.As(err, &e) {
		if errors.Is(err, context.Canceled) {
			panic(http.ErrAbortHandler)
		}
		e = badRequest("IncompleteBody",
			"You did not provide the number of bytes specified by the Content-Length HTTP header")
	}
	h := c.w.Header()
	for name, value := range e.header {
		h.Set(name, value)
	}
	if c.r.Method == http.MethodHead || e.status == http.StatusNotModified {
		c.reply(e.status, nil)
		return
	}
	x := &xmlWriter{}
	x.b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	x.in("Error", func() { e.elements(x, h.Get("x-amz-request-id")) })
	c.reply(e.status, x)
}

// elements writes the children of an Error element.
func (e *apiError) elements(x *xmlWriter, id string) {
	x.text("Code", e.code)
	x.text("Message", e.message)
	for i := 0; i+1 < len(e.extra); i += 2 {
		x.text(e.extra[i], e.extra[i+1])
	}
	x.text("RequestId", id)
	x.text("HostId", "s3test")
}

// maxDrain bounds the part of a refused body that is read, so that the answer reaches a
// client that sends the body before it reads the answer. Clients with Expect:
// 100-continue do not send the body.
const maxDrain = 64 << 20

func (c *call) drain() {
	if c.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, c.r.Body, maxDrain)
	}
}

// httpTime is t as HTTP headers have it.
func httpTime(t time.Time) string { return t.UTC().Format(http.TimeFormat) }

// xmlTime is t as S3's XML has it.
func xmlTime(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }
