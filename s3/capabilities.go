package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"strings"
	"sync"
)

// capabilityCache holds what was found out about each bucket.
type capabilityCache struct {
	mu    sync.Mutex
	known map[string]*Capabilities
}

// Capabilities finds out, by some twenty requests on objects of its own below
// prefix, what the server enforces in this bucket: many accept a condition and
// ignore it (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
// The answer is kept for the life of the client. From then on the client sends
// ETags without quotes to a server that wants them so.
func (c *Client) Capabilities(ctx context.Context, bucket, prefix string) (*Capabilities, error) {
	c.capabilities.mu.Lock()
	known := c.capabilities.known[bucket]
	c.capabilities.mu.Unlock()
	if known == nil {
		p := &probe{c: c, bucket: bucket, key: prefix + "s3mount-probe-" + strings.ToLower(rand.Text())}
		err := p.run(ctx)
		if cerr := p.clean(ctx); err == nil {
			err = cerr
		}
		if err != nil {
			return nil, err
		}
		known = &p.found
		c.unquoted.Store(known.UnquotedETag)
		c.capabilities.mu.Lock()
		if c.capabilities.known == nil {
			c.capabilities.known = make(map[string]*Capabilities)
		}
		c.capabilities.known[bucket] = known
		c.capabilities.mu.Unlock()
	}
	answer := *known
	return &answer, nil
}

// otherETag is no object's: nobody has found bytes whose MD5 is zero.
const otherETag = `"00000000000000000000000000000000"`

// probe is one investigation.
type probe struct {
	c           *Client
	bucket, key string
	etag        string
	made        []ObjectID
	found       Capabilities
}

// copyKey is a second object.
func (p *probe) copyKey() string { return p.key + "-copy" }

func (p *probe) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		p.puts, p.gets, p.copies, p.completes, p.checksums, p.deletes} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// holds makes a request whose condition is false. It returns true if the
// server refused it for that, false if it went through or is not implemented.
func holds(err error) (bool, error) {
	switch {
	case errors.Is(err, ErrPreconditionFailed):
		return true, nil
	case err == nil, errors.Is(err, ErrNotImplemented), refused(err):
		return false, nil
	}
	return false, err
}

// refused reports that a server does not understand a request.
func refused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusBadRequest || e.Status == http.StatusMethodNotAllowed)
}

func (p *probe) put(ctx context.Context, ifMatch, ifNoneMatch string) (*PutOutput, error) {
	body := []byte("s3mount probe\n")
	k, err := p.c.putCall(&PutInput{Bucket: p.bucket, Key: p.key, Body: bytes.NewReader(body), Size: int64(len(body)),
		IfNoneMatch: ifNoneMatch})
	if err != nil {
		return nil, err
	}
	set(k.header, "If-Match", ifMatch) // with or without quotes, as given
	k.body = newPayload(bytes.NewReader(body), int64(len(body)))
	var out PutOutput
	err = p.c.upload(ctx, k, func(resp *response) { out = putOutput(resp.header) })
	if err == nil {
		p.note(p.key, out.VersionID)
	}
	return &out, err
}

// note remembers what is to be deleted at the end.
func (p *probe) note(key, version string) {
	p.made = append(p.made, ObjectID{Key: key, VersionID: version})
	p.found.Versioning = p.found.Versioning || version != "" && version != "null"
}

func (p *probe) puts(ctx context.Context) error {
	out, err := p.put(ctx, "", "")
	if err != nil {
		return err
	}
	p.etag = out.ETag
	_, err = p.put(ctx, "", "*")
	if p.found.PutIfNoneMatch, err = holds(err); err != nil {
		return err
	}
	_, err = p.put(ctx, otherETag, "")
	if p.found.PutIfMatch, err = holds(err); err != nil || !p.found.PutIfMatch {
		return err
	}
	if _, err = p.put(ctx, p.etag, ""); err == nil || !errors.Is(err, ErrPreconditionFailed) {
		return err
	}
	if _, err = p.put(ctx, strings.Trim(p.etag, `"`), ""); err == nil {
		p.found.UnquotedETag = true
		return nil
	}
	p.found.PutIfMatch = false // it holds for nobody
	return ignorePrecondition(err)
}

func ignorePrecondition(err error) error {
	if errors.Is(err, ErrPreconditionFailed) {
		return nil
	}
	return err
}

func (p *probe) gets(ctx context.Context) error {
	out, err := p.c.Get(ctx, &GetInput{Bucket: p.bucket, Key: p.key, Conditions: Conditions{IfMatch: otherETag}})
	if err == nil {
		return out.Body.Close()
	}
	p.found.GetIfMatch, err = holds(err)
	return err
}

func (p *probe) copies(ctx context.Context) error {
	for _, try := range []struct {
		found  *bool
		change func(*CopyInput)
	}{
		{new(bool), func(*CopyInput) {}},
		{&p.found.CopySourceIfMatch, func(in *CopyInput) { in.SrcIf.IfMatch = otherETag }},
		{&p.found.CopyIfNoneMatch, func(in *CopyInput) { in.IfNoneMatch = "*" }},
		{&p.found.CopyIfMatch, func(in *CopyInput) { in.IfMatch = otherETag }},
	} {
		in := CopyInput{SrcBucket: p.bucket, SrcKey: p.key, SrcSize: 1, Bucket: p.bucket, Key: p.copyKey()}
		try.change(&in)
		out, err := p.c.Copy(ctx, &in)
		if err == nil {
			p.note(p.copyKey(), out.VersionID)
		}
		if *try.found, err = holds(err); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) completes(ctx context.Context) error {
	for _, try := range []struct {
		found                *bool
		ifMatch, ifNoneMatch string
	}{{&p.found.CompleteIfNoneMatch, "", "*"}, {&p.found.CompleteIfMatch, otherETag, ""}} {
		id, err := p.c.CreateUpload(ctx, &CreateUploadInput{Bucket: p.bucket, Key: p.key})
		if err != nil {
			_, err = holds(err)
			return err
		}
		err = p.complete(ctx, id, try.ifMatch, try.ifNoneMatch)
		if *try.found, err = holds(err); err != nil {
			return p.c.abandon(ctx, id, err)
		}
		if err := p.c.AbortUpload(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (p *probe) complete(ctx context.Context, id UploadID, ifMatch, ifNoneMatch string) error {
	part, err := p.c.UploadPart(ctx, &UploadPartInput{Upload: id, PartNumber: 1, Body: strings.NewReader("probe"), Size: 5})
	if err != nil {
		return err
	}
	out, err := p.c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{*part}, IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
	if err == nil {
		p.note(p.key, out.VersionID)
	}
	return err
}

// checksums sends bodies with a checksum of other bytes.
func (p *probe) checksums(ctx context.Context) error {
	body := []byte("s3mount probe\n")
	sum := checksummer{algorithm: p.c.integrity.algorithm}
	sum.write([]byte("other bytes"))
	name, value := sum.algorithm.header(), sum.value()
	err := p.raw(ctx, body, http.Header{name: {value}, "X-Amz-Content-Sha256": {unsignedPayload}})
	if p.found.ChecksumHeader, err = holdsChecksum(err); err != nil || !p.found.ChecksumHeader {
		return err
	}
	framed := append(chunkHead(int64(len(body))), body...)
	framed = append(framed, "\r\n0\r\n"+trailerName(sum.algorithm)+":"+value+"\r\n\r\n"...)
	err = p.raw(ctx, framed, http.Header{"X-Amz-Content-Sha256": {unsignedTrailer}, "X-Amz-Trailer": {trailerName(sum.algorithm)},
		"X-Amz-Decoded-Content-Length": {itoa(int64(len(body)))}, "Content-Encoding": {"aws-chunked"}})
	if p.found.ChecksumTrailer, err = holdsChecksum(err); err != nil || !p.found.ChecksumTrailer {
		return err
	}
	// A refusal shows that trailers are read only if a true one is accepted.
	sum = checksummer{algorithm: sum.algorithm}
	sum.write(body)
	good := bytes.Replace(framed, []byte(value), []byte(sum.value()), 1)
	err = p.raw(ctx, good, http.Header{"X-Amz-Content-Sha256": {unsignedTrailer}, "X-Amz-Trailer": {trailerName(sum.algorithm)},
		"X-Amz-Decoded-Content-Length": {itoa(int64(len(body)))}, "Content-Encoding": {"aws-chunked"}})
	p.found.ChecksumTrailer = err == nil
	if refused(err) || errors.Is(err, ErrNotImplemented) {
		return nil
	}
	return err
}

func holdsChecksum(err error) (bool, error) {
	switch {
	case errors.Is(err, ErrChecksum), refused(err):
		return true, nil
	case err == nil, errors.Is(err, ErrNotImplemented):
		return false, nil
	}
	return false, err
}

// raw writes the object by a body and headers that are sent as they are.
func (p *probe) raw(ctx context.Context, body []byte, h http.Header) error {
	k := &call{op: "PutObject", method: http.MethodPut, bucket: p.bucket, key: p.key, header: h, document: body,
		consume: func(resp *response) error {
			p.note(p.key, first(resp.header, "X-Amz-Version-Id"))
			return discard(resp)
		}}
	_, err := p.c.attemptOnce(ctx, k)
	return err
}

func (p *probe) deletes(ctx context.Context) error {
	_, err := p.c.Delete(ctx, &DeleteInput{Bucket: p.bucket, Key: p.key, IfMatch: otherETag})
	p.found.DeleteIfMatch, err = holds(err)
	return err
}

// clean deletes what the probe made, in a versioned bucket every version.
func (p *probe) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	if !p.found.Versioning {
		p.made = []ObjectID{{Key: p.key}, {Key: p.copyKey()}}
	}
	results, err := p.c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: p.bucket, Objects: p.made})
	for _, r := range results {
		err = errors.Join(err, r.Err)
	}
	return err
}
