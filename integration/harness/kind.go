package harness

import (
	"net/http"
	"net/url"
	"strings"
)

// Kind is the S3 operation of a request.
type Kind string

// These are the kinds of requests
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html).
const (
	List        Kind = "LIST"
	Head        Kind = "HEAD"
	Get         Kind = "GET"
	Put         Kind = "PUT"
	Copy        Kind = "COPY"
	Delete      Kind = "DELETE"
	DeleteMulti Kind = "DELETEMULTI"
	Create      Kind = "CREATE" // of a multipart upload
	Part        Kind = "PART"
	PartCopy    Kind = "PARTCOPY"
	Complete    Kind = "COMPLETE"
	Abort       Kind = "ABORT"
	ListParts   Kind = "LISTPARTS"
	ListUploads Kind = "LISTUPLOADS"
	HeadBucket  Kind = "HEADBUCKET"
	Other       Kind = "OTHER"
)

// Request is a request through the proxy. Bucket and Key are decoded and assume
// path-style addressing.
type Request struct {
	Kind   Kind
	Method string
	Bucket string
	Key    string
	Query  url.Values
	Header http.Header
}

func classify(method, target string, h http.Header) Request {
	path, query, _ := strings.Cut(target, "?")
	q, _ := url.ParseQuery(query) // an invalid query gives the kind Other
	bucket, key, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	r := Request{Method: method, Bucket: unescape(bucket), Key: unescape(key), Query: q, Header: h}
	if key == "" {
		r.Kind = bucketKind(method, q)
	} else {
		r.Kind = objectKind(method, q, h)
	}
	return r
}

func unescape(s string) string {
	if u, err := url.PathUnescape(s); err == nil {
		return u
	}
	return s
}

func bucketKind(method string, q url.Values) Kind {
	switch {
	case method == http.MethodHead:
		return HeadBucket
	case method == http.MethodPost && q.Has("delete"):
		return DeleteMulti
	case method == http.MethodGet && q.Has("uploads"):
		return ListUploads
	case method == http.MethodGet && (q.Has("list-type") || q.Has("prefix") || q.Has("delimiter") || len(q) == 0):
		return List
	}
	return Other
}

func objectKind(method string, q url.Values, h http.Header) Kind {
	part, copied := q.Has("partNumber"), h.Get("X-Amz-Copy-Source") != ""
	switch method {
	case http.MethodHead:
		return Head
	case http.MethodGet:
		if q.Has("uploadId") {
			return ListParts
		}
		return Get
	case http.MethodPut:
		switch {
		case part && copied:
			return PartCopy
		case part:
			return Part
		case copied:
			return Copy
		}
		return Put
	case http.MethodPost:
		if q.Has("uploads") {
			return Create
		}
		return Complete
	case http.MethodDelete:
		if q.Has("uploadId") {
			return Abort
		}
		return Delete
	}
	return Other
}
