package s3

import (
	"context"
	"errors"
	"net/http"
)

// Delete deletes an object, in a versioned bucket by a delete marker, or one
// version of it for good
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html). A
// key that is absent already is no error.
func (c *Client) Delete(ctx context.Context, in *DeleteInput) (*DeleteOutput, error) {
	k, err := c.deleteCall(in)
	if err != nil {
		return nil, err
	}
	var out DeleteOutput
	k.consume = func(resp *response) error {
		out.VersionID = first(resp.header, "X-Amz-Version-Id")
		out.DeleteMarker = first(resp.header, "X-Amz-Delete-Marker") == "true"
		return discard(resp)
	}
	_, err = c.do(ctx, k)
	absent := errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
	if err == nil || absent || in.IfMatch != "" && k.echo(err) && c.lostDelete(ctx, in) {
		return &out, nil
	}
	return nil, err
}

func (c *Client) deleteCall(in *DeleteInput) (*call, error) {
	const op = "DeleteObject"
	if in.Key == "" {
		return nil, inputError(op, in.Bucket, in.Key, "key is empty")
	}
	h := make(http.Header, 8)
	c.ifMatch(h, in.IfMatch)
	return &call{op: op, method: http.MethodDelete, bucket: in.Bucket, key: in.Key, header: h,
		params: query(nil).add("versionId", in.VersionID)}, nil
}

// DeleteMulti deletes objects, MaxListKeys per request
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
// The results are in the order of the objects. The error is that of a request
// as a whole; results of the requests before it are returned with it.
func (c *Client) DeleteMulti(ctx context.Context, in *DeleteMultiInput) ([]DeleteResult, error) {
	results := make([]DeleteResult, 0, len(in.Objects))
	for rest := in.Objects; len(rest) > 0; {
		n := min(len(rest), MaxListKeys)
		page, err := c.deletePage(ctx, in.Bucket, rest[:n])
		if err != nil {
			return results, err
		}
		results = append(results, page...)
		rest = rest[n:]
	}
	return results, nil
}

const opDeleteMulti = "DeleteObjects"

func (c *Client) deletePage(ctx context.Context, bucket string, objects []ObjectID) ([]DeleteResult, error) {
	results := make([]DeleteResult, len(objects))
	doc := []byte(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	var alone []int // keys that XML cannot carry
	for i, o := range objects {
		if o.Key == "" || len(o.Key) > MaxKeyLength {
			return nil, inputError(opDeleteMulti, bucket, o.Key, "key is empty or longer than 1024 bytes")
		}
		results[i] = DeleteResult{Key: o.Key, VersionID: o.VersionID, Err: errNoResult}
		next, ok := appendDeleteObject(doc, o)
		if !ok {
			alone = append(alone, i)
			continue
		}
		doc = next
	}
	doc = append(doc, "</Delete>"...)
	if len(alone) < len(objects) {
		h := http.Header{"Content-Md5": {md5Base64(doc)}, "Content-Type": {"application/xml"}}
		k := &call{op: opDeleteMulti, method: http.MethodPost, bucket: bucket, params: query{{"delete", ""}}, header: h, document: doc,
			consume: func(resp *response) error {
				return c.readDocument(resp, func(data []byte) error { return parseDeleteResult(data, bucket, results) })
			}}
		if _, err := c.do(ctx, k); err != nil {
			return nil, err
		}
	}
	for _, i := range alone {
		results[i].Err = c.deleteAlone(ctx, bucket, objects[i], &results[i])
	}
	for i := range results {
		if errors.Is(results[i].Err, errNoResult) {
			results[i].Err = &Error{Op: opDeleteMulti, Bucket: bucket, Key: results[i].Key, Err: errNoResult}
		}
	}
	return results, nil
}

var errNoResult = errors.New("answer does not mention the key")

func (c *Client) deleteAlone(ctx context.Context, bucket string, o ObjectID, r *DeleteResult) error {
	out, err := c.Delete(ctx, &DeleteInput{Bucket: bucket, Key: o.Key, VersionID: o.VersionID, IfMatch: o.ETag})
	if err != nil {
		return err
	}
	r.DeleteMarker = out.DeleteMarker
	if out.DeleteMarker {
		r.DeleteMarkerVersionID = out.VersionID
	}
	return nil
}

func appendDeleteObject(doc []byte, o ObjectID) ([]byte, bool) {
	doc = append(doc, "<Object>"...)
	for _, f := range [...]struct{ name, value string }{{"Key", o.Key}, {"VersionId", o.VersionID}, {"ETag", o.ETag}} {
		if f.value == "" {
			continue
		}
		doc = append(append(append(doc, '<'), f.name...), '>')
		var ok bool
		if doc, ok = appendXMLText(doc, f.value); !ok {
			return nil, false
		}
		doc = append(append(append(doc, "</"...), f.name...), '>')
	}
	return append(doc, "</Object>"...), true
}

// parseDeleteResult fills in results by key and version.
func parseDeleteResult(data []byte, bucket string, results []DeleteResult) error {
	type id struct{ key, version string }
	index := make(map[id][]int, len(results))
	for i, r := range results {
		index[id{r.Key, r.VersionID}] = append(index[id{r.Key, r.VersionID}], i)
	}
	var cur DeleteResult
	var code, message string
	settle := func(err error) {
		is := index[id{cur.Key, cur.VersionID}]
		if is == nil {
			is = index[id{cur.Key, ""}]
		}
		for _, i := range is {
			r := &results[i]
			r.DeleteMarker, r.DeleteMarkerVersionID, r.Err = cur.DeleteMarker, cur.DeleteMarkerVersionID, err
		}
		cur, code, message = DeleteResult{}, "", ""
	}
	return parseDocument(data, "DeleteResult", func(_, name, text []byte) error {
		switch string(name) {
		case "Key":
			cur.Key = string(text)
		case "VersionId":
			cur.VersionID = string(text)
		case "DeleteMarker":
			cur.DeleteMarker = string(text) == "true"
		case "DeleteMarkerVersionId":
			cur.DeleteMarkerVersionID = string(text)
		case "Code":
			code = string(text)
		case "Message":
			message = clip(string(text), maxMessage)
		case "Deleted":
			settle(nil)
		case "Error":
			settle(deleteError(bucket, cur.Key, code, message))
		}
		return nil
	})
}

func deleteError(bucket, key, code, message string) error {
	e := &Error{Op: opDeleteMulti, Bucket: bucket, Key: key, Code: code, Message: message, Status: http.StatusOK}
	e.classify()
	if errors.Is(e, ErrNotFound) && !errors.Is(e, ErrNoSuchBucket) {
		return nil
	}
	return e
}
