package s3test

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"strings"
	"testing/iotest"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testPut is the row Put.
func testPut(e *env) {
	e.run("bodies", putBodies)
	e.run("headers", putHeaders)
	e.run("metadata", putMetadata)
	e.run("options", putOptions)
	e.run("wrong size", putWrongSize)
	e.run("overwrite", func(e *env) {
		e.put("over", "first")
		e.put("over", "second, longer")
		e.holds("over", "second, longer")
		e.put("over", "")
		e.holds("over", "")
	})
}

// putBodies stores bodies of all kinds and sizes.
func putBodies(e *env) {
	for _, size := range []int{0, 1, 100, 4096, 65535, 65536, 65537, 1<<20 + 1, 6 << 20} {
		body := string(pattern(size))
		for name, reader := range map[string]io.Reader{
			"bytes":  strings.NewReader(body),
			"stream": io.MultiReader(strings.NewReader(body)), // not a Seeker
		} {
			out, err := e.c.Put(e.ctx, &s3.PutInput{Bucket: e.bucket, Key: "body", Body: reader, Size: int64(size)})
			if err != nil {
				e.Errorf("put %d bytes as %s: %v", size, name, err)
				continue
			}
			if out.ETag != quotedMD5(body) {
				e.Errorf("ETag of %d bytes as %s = %s, want %s", size, name, out.ETag, quotedMD5(body))
			}
			if !out.Date.IsZero() && time.Since(out.Date).Abs() > 24*time.Hour {
				e.Errorf("Date = %v", out.Date)
			}
			e.holds("body", body)
		}
	}
	in := e.putInput("expect", []byte("asked first"))
	in.Expect100 = true
	_, err := e.c.Put(e.ctx, in)
	e.ok("put with Expect: 100-continue", err)
	e.holds("expect", "asked first")
	_, err = e.c.Put(e.ctx, &s3.PutInput{
		Bucket: e.bucket, Key: "slow", Body: iotest.OneByteReader(strings.NewReader("byte by byte")), Size: 12,
	})
	e.ok("put of a reader that gives single bytes", err)
	e.holds("slow", "byte by byte")
	_, err = e.c.Put(e.ctx, &s3.PutInput{Bucket: e.bucket, Key: "nil"})
	e.ok("put without a body", err)
	e.holds("nil", "")
	mid := strings.NewReader("skipped, kept")
	if _, err := mid.Seek(9, io.SeekStart); err != nil {
		e.Fatal(err)
	}
	_, err = e.c.Put(e.ctx, &s3.PutInput{Bucket: e.bucket, Key: "mid", Body: mid, Size: 4})
	e.ok("put from the middle of a reader", err)
	e.holds("mid", "kept")
}

// putHeaders stores content headers and reads them back.
func putHeaders(e *env) {
	in := e.putInput("headers", []byte("x"))
	in.ContentType, in.ContentEncoding, in.CacheControl = "text/x-test; charset=utf-8", "gzip", "max-age=60"
	in.ContentDisposition, in.ContentLanguage = `attachment; filename="a b.txt"`, "de-CH"
	in.Expires = "Thu, 01 Dec 2050 16:00:00 GMT"
	_, err := e.c.Put(e.ctx, in)
	e.ok("put", err)
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "headers"})
	e.ok("head", err)
	if info.ContentType != in.ContentType {
		e.Errorf("Content-Type = %q", info.ContentType)
	}
	if info.ContentEncoding != in.ContentEncoding {
		e.Errorf("Content-Encoding = %q", info.ContentEncoding)
	}
	e.need(ContentHeaders)
	if info.CacheControl != in.CacheControl || info.ContentDisposition != in.ContentDisposition ||
		info.ContentLanguage != in.ContentLanguage || info.Expires != in.Expires {
		e.Errorf("headers = %+v", info)
	}
	e.holds("headers", "x") // a body with Content-Encoding is not decoded
}

// putMetadata stores user metadata and reads it back.
func putMetadata(e *env) {
	for name, meta := range map[string]map[string]string{
		"ASCII":      {"mode": "33188", "mtime": "1700000000.123456789", "a-b": "with spaces, and; punctuation=!"},
		"upper case": {"MixedCase": "Value"},
		"UTF-8":      {"name": "Grüße, 世界 𝕏"},
		"RFC 2047":   {"literal": "=?UTF-8?Q?not_decoded_twice?="},
		"empty":      {"empty": ""},
		"none":       nil,
	} {
		key := "meta"
		if !e.has(FreshMetadata) {
			key += name
		}
		in := e.putInput(key, []byte(name))
		in.Metadata = meta
		if _, err := e.c.Put(e.ctx, in); err != nil {
			e.Errorf("%s: put: %v", name, err)
			continue
		}
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: key})
		e.ok("head", err)
		want := map[string]string{}
		for k, v := range meta {
			want[strings.ToLower(k)] = v
		}
		got := maps.Clone(info.Metadata)
		if v, ok := want["empty"]; ok && v == "" { // servers may drop it
			delete(want, "empty")
			delete(got, "empty")
		}
		if len(got) != len(want) || !maps.Equal(got, want) && len(want) > 0 {
			e.Errorf("%s: metadata = %q, want %q", name, info.Metadata, want)
		}
	}
}

// putOptions tests options that the server acts on.
func putOptions(e *env) {
	e.run("tags", func(e *env) {
		e.need(Tags)
		in := e.putInput("tags", []byte("x"))
		in.Tags = map[string]string{"project": "a b", "ü": "ß+/=", "empty": ""}
		_, err := e.c.Put(e.ctx, in)
		e.ok("put with tags", err)
		e.holds("tags", "x")
	})
	e.run("storage class", func(e *env) {
		e.need(StorageClasses)
		in := e.putInput("class", []byte("x"))
		in.StorageClass = "STANDARD_IA"
		_, err := e.c.Put(e.ctx, in)
		e.ok("put", err)
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "class"})
		e.ok("head", err)
		page, err := e.c.Ls(e.ctx, &s3.LsInput{Bucket: e.bucket, Prefix: "class"})
		e.ok("ls", err)
		if info.StorageClass != "STANDARD_IA" || len(page.Objects) != 1 || page.Objects[0].StorageClass != "STANDARD_IA" {
			e.Errorf("storage class = %q, listed %+v", info.StorageClass, page.Objects)
		}
	})
	e.run("SSE-S3", func(e *env) {
		e.need(Encryption)
		in := e.putInput("sse", []byte("x"))
		in.SSE.Algorithm = "AES256"
		_, err := e.c.Put(e.ctx, in)
		e.ok("put", err)
		info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "sse"})
		e.ok("head", err)
		if info.SSE != "AES256" {
			e.Errorf("SSE = %q", info.SSE)
		}
	})
	e.run("SSE-C", putCustomerKey)
}

// putCustomerKey needs the key again to read.
func putCustomerKey(e *env) {
	e.need(CustomerKeys)
	key := &s3.CustomerKey{Key: [32]byte{1, 2, 3}}
	in := e.putInput("sse-c", []byte("secret"))
	in.SSE.Customer = key
	_, err := e.c.Put(e.ctx, in)
	e.ok("put", err)
	var b bytes.Buffer
	_, _, err = e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "sse-c", SSE: key}, &b)
	e.ok("get", err)
	if b.String() != "secret" {
		e.Errorf("got %q", b.String())
	}
	for _, other := range []*s3.CustomerKey{nil, {}} {
		if _, _, err := e.c.GetTo(e.ctx, &s3.GetInput{Bucket: e.bucket, Key: "sse-c", SSE: other}, io.Discard); err == nil {
			e.Errorf("get with key %v works", other)
		}
	}
	_, err = e.c.Copy(e.ctx, &s3.CopyInput{
		SrcBucket: e.bucket, SrcKey: "sse-c", SrcSSE: key, Bucket: e.bucket, Key: "plain", SrcSize: 6,
	})
	e.ok("copy", err)
	e.holds("plain", "secret")
}

// putWrongSize leaves nothing behind when the body is not as long as it is said to be.
func putWrongSize(e *env) {
	e.put("size", "old")
	for name, size := range map[string]int64{"short body": 20, "long body": 5} {
		for _, body := range []io.Reader{strings.NewReader("ten bytes!"), io.MultiReader(strings.NewReader("ten bytes!"))} {
			_, err := e.c.Put(e.ctx, &s3.PutInput{Bucket: e.bucket, Key: "size", Body: body, Size: size})
			if _, seeker := body.(io.Seeker); seeker && size == 5 && err == nil {
				// A server or client may store the first Size bytes of a longer reader.
				e.holds("size", "ten b")
				e.put("size", "old")
				continue
			}
			if err == nil && size == 5 {
				e.holds("size", "ten b")
				e.put("size", "old")
				continue
			}
			if err == nil {
				e.Errorf("%s: no error", name)
			}
			e.holds("size", "old")
		}
	}
	broken := errors.New("disk gone")
	_, err := e.c.Put(e.ctx, &s3.PutInput{
		Bucket: e.bucket, Key: "size", Size: 100, Body: io.MultiReader(strings.NewReader("some"), iotest.ErrReader(broken)),
	})
	if !errors.Is(err, broken) {
		e.Errorf("put of a reader that fails: %v, want the reader's error", err)
	}
	e.holds("size", "old")
}
