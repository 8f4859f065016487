package s3

import (
	"context"
	"errors"
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"time"
)

const opDeleteMulti = "DeleteObjects"

// deleteParallel is the number of concurrent single deletes if a server lacks
// DeleteObjects or ignores ETags in it. At 20 ms each, they delete 1600 objects per
// second and leave half of the connections free.
const deleteParallel = 32

// DeleteMulti deletes objects with requests of MaxListKeys objects each
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html). It deletes
// objects that the server cannot delete in this way one by one, in parallel. The
// results are in the order of the objects. The returned error is the first failure of a
// whole request; the results of its objects contain it as well.
func (c *Client) DeleteMulti(ctx context.Context, in *DeleteMultiInput) ([]DeleteResult, error) {
	for _, o := range in.Objects {
		if o.Key == "" || len(o.Key) > MaxKeyLength {
			return nil, inputError(opDeleteMulti, in.Bucket, clip(o.Key, 64), "key is empty or longer than 1024 bytes")
		}
	}
	m := multiDelete{c: c, f: c.features(in.Bucket), objects: in.Objects, results: make([]DeleteResult, len(in.Objects))}
	for i, o := range in.Objects {
		m.results[i] = DeleteResult{Key: o.Key, VersionID: o.VersionID, Err: errNoResult}
	}
	err := m.run(ctx)
	for i, r := range m.results {
		if errors.Is(r.Err, errNoResult) {
			e := &Error{Op: opDeleteMulti, Bucket: in.Bucket, Key: r.Key, Err: errNoResult}
			if err != nil {
				e.Err = err
			}
			m.results[i].Err = e
		}
	}
	return m.results, err
}

// DeletesCompare reports whether the server checks the ETag of a delete, at least in
// single deletes. If it returns false, the client compares with a HEAD request
// immediately before each delete, so that callers should not postpone deletes. The
// first call for a bucket may probe the server. It makes no request on AWS.
func (c *Client) DeletesCompare(ctx context.Context, bucket string) bool {
	s, err := c.relies(ctx, c.features(bucket), FeatureDeleteIfMatch)
	return err == nil && !s.missing()
}

// multiDelete is one call of DeleteMulti. Its methods take indexes into objects and
// results.
type multiDelete struct {
	c       *Client
	f       *bucketFeatures
	objects []ObjectID
	results []DeleteResult
}

// run sends the pages first and the single deletes after them.
func (m *multiDelete) run(ctx context.Context) error {
	together, alone, err := m.divide(ctx)
	if err != nil {
		return err
	}
	if len(alone) > 0 { // delete markers after the objects below them
		together = slices.DeleteFunc(together, func(i int) bool {
			last := isMarkerKey(m.objects[i].Key)
			if last {
				alone = append(alone, i)
			}
			return last
		})
	}
	for len(together) > 0 {
		n := min(len(together), MaxListKeys)
		page := together[:n]
		together = together[n:]
		err := m.page(ctx, page)
		switch {
		case err == nil:
		case refusesRequest(err):
			if err := m.withoutPages(ctx, page, err); err != nil {
				return err
			}
			if m.f.support(FeatureDeleteObjects).missing() {
				alone, together = append(alone, together...), nil
			}
		default:
			return err
		}
	}
	return m.single(ctx, alone)
}

// divide separates the objects that DeleteObjects can delete from the others.
func (m *multiDelete) divide(ctx context.Context) (together, alone []int, err error) {
	for i, o := range m.objects {
		single := m.f.support(FeatureDeleteObjects).missing()
		if !single && o.ETag != "" {
			s, err := m.c.relies(ctx, m.f, FeatureDeleteObjectsETag)
			if err != nil {
				return nil, nil, err
			}
			single = s.missing()
		}
		if !single {
			_, ok := appendDeleteObject(nil, o) // not every key is valid in XML
			single = !ok
		}
		if single {
			alone = append(alone, i)
		} else {
			together = append(together, i)
		}
	}
	return together, alone, nil
}

// page deletes objects with one request. It repeats the request for objects whose error
// is transient.
func (m *multiDelete) page(ctx context.Context, is []int) error {
	r := retries{c: m.c, start: time.Now()}
	for {
		objects := make([]ObjectID, len(is))
		for n, i := range is {
			objects[n] = m.objects[i]
		}
		results, err := m.c.deletePage(ctx, m.f, objects)
		if err != nil {
			return err
		}
		var again []int
		var worst *Error
		for n, i := range is {
			m.results[i] = results[n]
			if e := (*Error)(nil); errors.As(results[n].Err, &e) && e.retry {
				again, worst = append(again, i), e
			}
		}
		if len(again) == 0 || !r.next(ctx, worst) {
			return nil
		}
		is = again
	}
}

// withoutPages deletes a page of objects one by one after refusal. If that succeeds,
// the server does not support DeleteObjects, or ETags in it.
func (m *multiDelete) withoutPages(ctx context.Context, page []int, refusal error) error {
	if err := m.single(ctx, page); err != nil {
		return err
	}
	tagged, worked := false, false
	for _, i := range page {
		tagged = tagged || m.objects[i].ETag != ""
		worked = worked || m.results[i].Err == nil || errors.Is(m.results[i].Err, ErrPreconditionFailed)
	}
	switch {
	case !worked:
		return refusal
	case tagged:
		m.c.learned(m.f.bucket, FeatureDeleteObjectsETag, SupportRefused)
	default:
		m.c.learned(m.f.bucket, FeatureDeleteObjects, SupportRefused)
	}
	return nil
}

// single deletes objects one by one. It continues after a failed delete and returns an
// error only if the context ends.
//
// Keys that end in "/" are deleted after all longer paths. Servers that keep objects in
// folders may otherwise leave the folder of a marker behind and list it: versitygw 1.8
// does so if the marker and a file in the folder are deleted at the same time.
func (m *multiDelete) single(ctx context.Context, is []int) error {
	for _, group := range m.markersLast(is) {
		if err := m.atOnce(ctx, group); err != nil {
			return err
		}
	}
	return nil
}

func isMarkerKey(key string) bool { return strings.HasSuffix(key, "/") }

// markersLast groups objects. Each group is deleted before the next: first the keys
// that do not end in "/", then the other keys, the deepest first.
func (m *multiDelete) markersLast(is []int) [][]int {
	const first = math.MaxInt
	byDepth := map[int][]int{}
	for _, i := range is {
		depth := first
		if key := m.objects[i].Key; isMarkerKey(key) {
			depth = strings.Count(key, "/")
		}
		byDepth[depth] = append(byDepth[depth], i)
	}
	var groups [][]int
	for _, depth := range slices.Backward(slices.Sorted(maps.Keys(byDepth))) {
		groups = append(groups, byDepth[depth])
	}
	return groups
}

// atOnce deletes objects in parallel.
func (m *multiDelete) atOnce(ctx context.Context, is []int) error {
	return parallel(ctx, deleteParallel, len(is), func(ctx context.Context, n int) error {
		i := is[n]
		m.results[i].Err = m.c.deleteAlone(ctx, m.f.bucket, m.objects[i], &m.results[i])
		if ctx.Err() != nil {
			return m.results[i].Err
		}
		return nil
	})
}

// deletePage sends one DeleteObjects request.
func (c *Client) deletePage(ctx context.Context, f *bucketFeatures, objects []ObjectID) ([]DeleteResult, error) {
	results := make([]DeleteResult, len(objects))
	doc := []byte(`<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/">`)
	for i, o := range objects {
		results[i] = DeleteResult{Key: o.Key, VersionID: o.VersionID, Err: errNoResult}
		o.ETag = f.etag(o.ETag)
		doc, _ = appendDeleteObject(doc, o)
	}
	doc = append(doc, "</Delete>"...)
	h := http.Header{"Content-Md5": {md5Base64(doc)}, "Content-Type": {"application/xml"}}
	k := &call{op: opDeleteMulti, method: http.MethodPost, bucket: f.bucket, params: query{{"delete", ""}}, header: h, document: doc,
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) error { return parseDeleteResult(data, f.bucket, results) })
		}}
	if _, err := c.do(ctx, k); err != nil {
		return nil, err
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

// parseDeleteResult sets the results by key and version. The result of a key that the
// document does not mention stays errNoResult.
func parseDeleteResult(data []byte, bucket string, results []DeleteResult) error {
	type id struct{ key, version string }
	index := make(map[id][]int, len(results))
	for i, r := range results {
		index[id{r.Key, r.VersionID}] = append(index[id{r.Key, r.VersionID}], i)
	}
	var cur DeleteResult
	var code, message string
	setResult := func(err error) {
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
			setResult(nil)
		case "Error":
			setResult(deleteError(bucket, cur.Key, code, message))
		}
		return nil
	}, "Deleted", "Error")
}

func deleteError(bucket, key, code, message string) error {
	e := &Error{Op: opDeleteMulti, Bucket: bucket, Key: key, Code: code, Message: message, Status: http.StatusOK}
	e.classify()
	if errors.Is(e, ErrNotFound) && !errors.Is(e, ErrNoSuchBucket) {
		return nil
	}
	return e
}
