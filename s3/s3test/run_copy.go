package s3test

import (
	"fmt"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testCopy is the row Copy.
func testCopy(e *env) {
	e.run("keep", copyKeep)
	e.run("replace", copyReplace)
	e.run("onto itself", copyOntoItself)
	e.run("source conditions", copySource)
	e.run("target conditions", copyTarget)
	e.run("errors", func(e *env) {
		_, err := e.c.Copy(e.ctx, e.copyInput("absent", "dst2"))
		e.fails("absent source", err, s3.ErrNotFound)
		e.absent("dst2")
	})
}

// copySource copies only the right version.
func copySource(e *env) {
	e.need(ConditionalCopySource)
	etag, past := e.put("src", "bytes"), time.Now().Add(-24*time.Hour)
	for i, c := range []struct {
		name string
		cond s3.Conditions
		want error
	}{
		{"match, other", s3.Conditions{IfMatch: quotedMD5("other")}, s3.ErrPreconditionFailed},
		{"match", s3.Conditions{IfMatch: etag}, nil},
		{"none match", s3.Conditions{IfNoneMatch: etag}, s3.ErrPreconditionFailed},
		{"none match, other", s3.Conditions{IfNoneMatch: quotedMD5("other")}, nil},
		{"unmodified since yesterday", s3.Conditions{IfUnmodifiedSince: past}, s3.ErrPreconditionFailed},
		{"modified since yesterday", s3.Conditions{IfModifiedSince: past}, nil},
	} {
		to := fmt.Sprintf("dst%d", i)
		in := e.copyInput("src", to)
		in.SrcIf = c.cond
		_, err := e.c.Copy(e.ctx, in)
		if c.want == nil {
			e.ok(c.name, err)
			e.holds(to, "bytes")
			continue
		}
		e.fails(c.name, err, c.want)
		e.absent(to)
		in.SrcSize = s3.MaxPartSize + 1 // by parts, of a source that is asked for first
		_, err = e.c.Copy(e.ctx, in)
		e.fails(c.name+", by parts", err, c.want)
		e.absent(to)
	}
}

func (e *env) copyInput(from, to string) *s3.CopyInput {
	return &s3.CopyInput{SrcBucket: e.bucket, SrcKey: from, Bucket: e.bucket, Key: to}
}

// putSource stores an object with properties.
func (e *env) putSource(key string) string {
	e.Helper()
	in := e.putInput(key, []byte("bytes"))
	in.ContentType, in.ContentEncoding, in.Metadata = "text/x", "x-test", map[string]string{"a": "1", "name": "ü"}
	out, err := e.c.Put(e.ctx, in)
	e.ok("put", err)
	return out.ETag
}

// copyKeep copies an object as it is.
func copyKeep(e *env) {
	etag := e.putSource("keep/ü + %20?x")
	out, err := e.c.Copy(e.ctx, e.copyInput("keep/ü + %20?x", "keep/copy"))
	e.ok("copy", err)
	e.holds("keep/copy", "bytes")
	e.holds("keep/ü + %20?x", "bytes")
	if out.ETag != etag {
		e.Errorf("ETag = %s, want %s", out.ETag, etag)
	}
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "keep/copy"})
	e.ok("head", err)
	e.checkInfo(info, "keep/copy", 5, etag)
	if info.ContentType != "text/x" || info.ContentEncoding != "x-test" || info.Metadata["a"] != "1" || info.Metadata["name"] != "ü" {
		e.Errorf("info = %+v", info)
	}
	e.put("empty", "")
	_, err = e.c.Copy(e.ctx, e.copyInput("empty", "keep/copy"))
	e.ok("copy of an empty object over another", err)
	e.holds("keep/copy", "")
}

// copyReplace tests a copy with new properties.
func copyReplace(e *env) {
	e.putSource("src")
	in := e.copyInput("src", "replaced")
	in.ReplaceMetadata = true
	in.ContentType, in.Metadata = "text/y", map[string]string{"b": "2"}
	_, err := e.c.Copy(e.ctx, in)
	e.ok("copy", err)
	e.holds("replaced", "bytes")
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "replaced"})
	e.ok("head", err)
	if info.Metadata["b"] != "2" || info.ContentType != "text/y" {
		e.Errorf("info = %+v", info)
	}
	if _, kept := info.Metadata["a"]; e.has(FreshMetadata) && (kept || info.ContentEncoding != "") {
		e.Errorf("info = %+v", info)
	}
}

// copyOntoItself changes the metadata of an object in place.
func copyOntoItself(e *env) {
	etag := e.putSource("self")
	in := e.copyInput("self", "self")
	in.ReplaceMetadata = true
	in.ContentType, in.Metadata = "text/z", map[string]string{"mode": "33188"}
	if e.has(ConditionalCopySource) {
		in.SrcIf.IfMatch = etag
	}
	out, err := e.c.Copy(e.ctx, in)
	e.ok("copy", err)
	if out.ETag != etag {
		e.Errorf("ETag = %s, want %s", out.ETag, etag)
	}
	e.holds("self", "bytes")
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "self"})
	e.ok("head", err)
	if info.ContentType != "text/z" || info.Metadata["mode"] != "33188" || e.has(FreshMetadata) && info.Metadata["a"] != "" {
		e.Errorf("info = %+v", info)
	}
}

// copyTarget copies only over the right version.
func copyTarget(e *env) {
	e.need(ConditionalCopyTarget)
	e.put("src", "new")
	etag := e.put("over", "old")
	for name, c := range map[string]struct{ match, none string }{
		"over any object":      {"", "*"},
		"over another version": {quotedMD5("other"), ""},
	} {
		in := e.copyInput("src", "over")
		in.IfMatch, in.IfNoneMatch = c.match, c.none
		_, err := e.c.Copy(e.ctx, in)
		e.fails(name, err, s3.ErrPreconditionFailed)
		e.holds("over", "old")
	}
	in := e.copyInput("src", "over")
	in.IfMatch = etag
	_, err := e.c.Copy(e.ctx, in)
	e.ok("over this version", err)
	e.holds("over", "new")
	in = e.copyInput("src", "fresh")
	in.IfNoneMatch = "*"
	_, err = e.c.Copy(e.ctx, in)
	e.ok("over nothing", err)
	e.holds("fresh", "new")
}
