package s3test

import (
	"bytes"
	"errors"
	"io"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testGet is the row Get.
func testGet(e *env) {
	e.run("ranges", getRanges)
	e.run("empty object", getEmpty)
	e.run("into a buffer", getInto)
	e.run("info", func(e *env) {
		etag := e.put("info", "bytes")
		out, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "info"})
		e.ok("get", err)
		defer out.Body.Close()
		e.checkInfo(&out.ObjectInfo, "info", 5, etag)
	})
	e.run("conditions", getConditions)
	e.run("close early", func(e *env) {
		e.put("large", string(pattern(8<<20)))
		for range 3 {
			out, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "large"})
			e.ok("get", err)
			if _, err := io.CopyN(io.Discard, out.Body, 100); err != nil {
				e.Errorf("read: %v", err)
			}
			if err := out.Body.Close(); err != nil {
				e.Errorf("close: %v", err)
			}
		}
		e.put("large", "writable after bodies that were not read")
	})
}

// getRanges reads every kind of range.
func getRanges(e *env) {
	const size = 100_000
	body := pattern(size)
	e.put("ranged", string(body))
	for name, c := range map[string]struct {
		r           s3.Range
		first, last int64
	}{
		"whole":            {s3.Range{}, 0, size - 1},
		"first byte":       {s3.Bytes(0, 0), 0, 0},
		"inside":           {s3.Bytes(1000, 69_999), 1000, 69_999},
		"last byte":        {s3.Bytes(size-1, size-1), size - 1, size - 1},
		"end past the end": {s3.Bytes(size-10, size+10), size - 10, size - 1},
		"all":              {s3.Bytes(0, size-1), 0, size - 1},
		"from":             {s3.From(size - 5), size - 5, size - 1},
		"from 0":           {s3.From(0), 0, size - 1},
		"suffix":           {s3.Last(7), size - 7, size - 1},
		"suffix past 0":    {s3.Last(2 * size), 0, size - 1},
	} {
		if name == "suffix past 0" && !e.has(OpenRanges) {
			continue
		}
		out, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "ranged", Range: c.r})
		if err != nil {
			e.Errorf("%s: %v", name, err)
			continue
		}
		got, err := io.ReadAll(out.Body)
		if err := errors.Join(err, out.Body.Close()); err != nil {
			e.Errorf("%s: read: %v", name, err)
		}
		if !bytes.Equal(got, body[c.first:c.last+1]) {
			e.Errorf("%s: got %s", name, brief(string(got)))
		}
		if out.Offset != c.first || out.Length != c.last-c.first+1 || out.Size != size {
			e.Errorf("%s: offset %d, length %d, size %d", name, out.Offset, out.Length, out.Size)
		}
	}
	e.run("past the end", func(e *env) {
		e.need(OpenRanges)
		for _, r := range []s3.Range{s3.From(size), s3.Bytes(size, size+5), s3.From(1 << 40)} {
			_, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "ranged", Range: r})
			e.fails(r.String(), err, s3.ErrInvalidRange)
		}
	})
}

// getEmpty reads an object without bytes, of which no range exists.
func getEmpty(e *env) {
	e.put("empty", "")
	e.holds("empty", "")
	out, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "empty"})
	e.ok("get", err)
	defer out.Body.Close()
	if out.Size != 0 || out.Length != 0 || out.Offset != 0 {
		e.Errorf("size %d, length %d, offset %d", out.Size, out.Length, out.Offset)
	}
	// The answer to a range is 416, or an empty 200: never bytes.
	ranged, err := e.c.Get(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "empty", Range: s3.Bytes(0, 1<<20)})
	if err != nil {
		e.fails("range of an empty object", err, s3.ErrInvalidRange)
		return
	}
	if got, err := io.ReadAll(ranged.Body); err != nil || len(got) != 0 {
		e.Errorf("range of an empty object = %q %v", got, err)
	}
	if err := ranged.Body.Close(); err != nil {
		e.Errorf("close: %v", err)
	}
}

// getInto reads into buffers that are too short, too long and exact.
func getInto(e *env) {
	body := pattern(1000)
	e.put("into", string(body))
	for _, size := range []int{1, 999, 1000, 1001} {
		p := make([]byte, size)
		out, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "into"}, p)
		if err != nil || n != min(size, 1000) || !bytes.Equal(p[:n], body[:n]) || out.Length != 1000 {
			e.Errorf("buffer of %d: %d bytes, %v", size, n, err)
		}
	}
	p := make([]byte, 10)
	out, n, err := e.c.GetInto(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "into", Range: s3.From(995)}, p)
	if err != nil || n != 5 || !bytes.Equal(p[:n], body[995:]) || out.Offset != 995 || out.Size != 1000 {
		e.Errorf("range: %d bytes, %+v, %v", n, out, err)
	}
}

// getConditions reads one version or only a new one.
func getConditions(e *env) {
	etag := e.put("cond", "bytes")
	past, future := time.Now().Add(-24*time.Hour), time.Now().Add(-time.Second)
	for _, c := range []struct {
		name string
		cond s3.Conditions
		want error
	}{
		{"none match, other", s3.Conditions{IfNoneMatch: quotedMD5("other")}, nil},
		{"none match", s3.Conditions{IfNoneMatch: etag}, s3.ErrNotModified},
		{"modified since yesterday", s3.Conditions{IfModifiedSince: past}, nil},
		{"match", s3.Conditions{IfMatch: etag}, nil},
		{"match, other", s3.Conditions{IfMatch: quotedMD5("other")}, s3.ErrPreconditionFailed},
		{"unmodified since yesterday", s3.Conditions{IfUnmodifiedSince: past}, s3.ErrPreconditionFailed},
		{"match beats unmodified", s3.Conditions{IfMatch: etag, IfUnmodifiedSince: past}, nil},
		{"none match beats modified", s3.Conditions{IfNoneMatch: quotedMD5("other"), IfModifiedSince: future}, nil},
	} {
		if c.cond.IfNoneMatch == "" && c.cond.IfModifiedSince.IsZero() && !e.has(ConditionalGet) {
			continue
		}
		var b bytes.Buffer
		_, _, err := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "cond", Conditions: c.cond}, &b)
		_, headErr := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "cond", Conditions: c.cond})
		if c.want != nil {
			e.fails("get, "+c.name, err, c.want)
			e.fails("head, "+c.name, headErr, c.want)
			continue
		}
		if err != nil || headErr != nil || b.String() != "bytes" {
			e.Errorf("%s: %q, %v, %v", c.name, b.String(), err, headErr)
		}
	}
	e.need(ConditionalGet)
	e.put("cond", "newer")
	_, err := e.c.Get(e.ctx, &s3.GetInput{
		Bucket: e.bucket, Key: "cond", Range: s3.Bytes(1, 2), Conditions: s3.Conditions{IfMatch: etag},
	})
	e.fails("range of a version that is gone", err, s3.ErrPreconditionFailed)
}

// testHead is the row Head.
func testHead(e *env) {
	in := e.putInput("head", pattern(12_345))
	in.Metadata, in.ContentType = map[string]string{"k": "v"}, "text/plain"
	out, err := e.c.Put(e.ctx, in)
	e.ok("put", err)
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "head"})
	e.ok("head", err)
	e.checkInfo(info, "head", 12_345, out.ETag)
	if info.ContentType != "text/plain" || info.Metadata["k"] != "v" {
		e.Errorf("info = %+v", info)
	}
	if info.StorageClass != "" && info.StorageClass != "STANDARD" {
		e.Errorf("storage class = %q", info.StorageClass)
	}
	e.absent("nothing")
	e.put("dir/", "")
	info, err = e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "dir/"})
	e.ok("head of a marker", err)
	e.checkInfo(info, "dir/", 0, quotedMD5(""))
	e.absent("dir")
	e.absent("di")
}

// checkInfo checks the fields that every answer about an object has.
func (e *env) checkInfo(info *s3.ObjectInfo, key string, size int64, etag string) {
	e.Helper()
	if info.Key != key || info.Size != size || info.ETag != etag {
		e.Errorf("info = %q, %d bytes, ETag %s; want %q, %d, %s", info.Key, info.Size, info.ETag, key, size, etag)
	}
	if age := time.Since(info.LastModified); age.Abs() > time.Hour {
		e.Errorf("LastModified = %v, %v ago", info.LastModified, age)
	}
}
