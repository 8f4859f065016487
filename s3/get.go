package s3

import (
	"context"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// Get opens an object or a range of it
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
//
// Get returns ErrNotModified or ErrPreconditionFailed if a condition does not hold,
// ErrInvalidRange if the range begins after the end, and ErrNotFound. The caller must
// close the Body. Closing a Body before its end drops the connection if much data is
// left.
func (c *Client) Get(ctx context.Context, in *GetInput) (*GetOutput, error) {
	k, err := c.getCall(in)
	if err != nil {
		return nil, err
	}
	resp, err := c.read(ctx, k, in.IfMatch)
	if err != nil {
		return nil, err
	}
	out := &GetOutput{ObjectInfo: objectInfo(in.Key, resp)}
	c.observeStorageClass(in.Bucket, out.StorageClass)
	if e := out.place(resp, in); e != nil {
		resp.body.Close()
		return nil, k.fail(e)
	}
	body := &getBody{c: c, ctx: ctx, in: *in, out: out, src: resp.body, left: out.Length}
	if sum := out.Checksum; !in.Unchecked && c.integrity.state.Load() != checksumOff && sum.Whole() && out.Length == out.Size {
		body.sum = &checksummer{algorithm: sum.Algorithm}
	}
	out.Body = body
	return out, nil
}

func (c *Client) getCall(in *GetInput) (*call, error) {
	h := make(http.Header, 12)
	c.readConditions(in.Bucket, in.Conditions).apply(h, "")
	in.SSE.apply(h, ssecPrefix)
	if msg := in.Range.apply(h); msg != "" {
		return nil, inputError("GetObject", in.Bucket, in.Key, msg)
	}
	if in.Key == "" {
		return nil, inputError("GetObject", in.Bucket, in.Key, "key is empty")
	}
	if in.Range.kind == rangeAll {
		c.askChecksum(in.Bucket, h)
	}
	return &call{op: "GetObject", method: http.MethodGet, bucket: in.Bucket, key: in.Key,
		params: query(nil).add("versionId", in.VersionID), header: h}, nil
}

// place sets Offset, Length and Size to the bytes that the response contains. A server
// may answer a request for a range with the whole object, which place accepts only if
// the range covers it.
func (out *GetOutput) place(resp *response, in *GetInput) error {
	out.Length = resp.length
	if resp.status != http.StatusPartialContent {
		if resp.length < 0 {
			return errNoLength
		}
		// Other bytes than the requested ones must not reach the caller.
		if in.Range.kind != rangeAll && !in.Range.holds(0, out.Size-1, out.Size) {
			return errRangeIgnored
		}
		return nil
	}
	first, last, size, ok := parseContentRange(first(resp.header, "Content-Range"))
	if resp.length < 0 {
		// The chunked encoding marks the end.
		out.Length = last - first + 1
	}
	if !ok || last-first+1 != out.Length {
		return errBadContentRange
	}
	if !in.Range.holds(first, last, size) {
		return errBadContentRange
	}
	out.Offset, out.Size = first, size
	return nil
}

// parseContentRange parses "bytes first-last/size" (RFC 9110, section 14.4).
func parseContentRange(v string) (first, last, size int64, ok bool) {
	v, found := strings.CutPrefix(v, "bytes ")
	a, rest, found1 := strings.Cut(v, "-")
	b, n, found2 := strings.Cut(rest, "/")
	if !found || !found1 || !found2 {
		return 0, 0, 0, false
	}
	var errs [3]error
	first, errs[0] = strconv.ParseInt(a, 10, 64)
	last, errs[1] = strconv.ParseInt(b, 10, 64)
	size, errs[2] = strconv.ParseInt(n, 10, 64)
	for _, err := range errs {
		if err != nil {
			return 0, 0, 0, false
		}
	}
	return first, last, size, 0 <= first && first <= last && last < size
}

// GetInto reads an object, or the range in.Range, into p without an intermediate buffer
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). It returns the
// number of bytes read, which is at most len(p). An object that is shorter than p is
// not an error: the caller compares n with out.Length. out.Body is nil.
func (c *Client) GetInto(ctx context.Context, in *GetInput, p []byte) (out *GetOutput, n int, err error) {
	out, err = c.Get(ctx, in)
	if err != nil {
		return nil, 0, err
	}
	body := out.Body
	out.Body = nil
	defer body.Close()
	n, err = io.ReadFull(body, p[:min(int64(len(p)), out.Length)])
	return out, n, err
}

// GetTo copies an object, or the range in.Range, to w
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). It returns the
// number of bytes written. out.Body is nil.
func (c *Client) GetTo(ctx context.Context, in *GetInput, w io.Writer) (out *GetOutput, n int64, err error) {
	out, err = c.Get(ctx, in)
	if err != nil {
		return nil, 0, err
	}
	body := out.Body
	out.Body = nil
	defer body.Close()
	buf := c.pool.get()
	defer c.pool.put(buf)
	n, err = io.CopyBuffer(struct{ io.Writer }{w}, struct{ io.Reader }{body}, *buf)
	return out, n, err
}
