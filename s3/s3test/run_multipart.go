package s3test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// testMultipart is the row Multipart.
func testMultipart(e *env) {
	e.run("whole life", multipartLife)
	e.run("go on after a restart", multipartResume)
	e.run("copy parts", multipartCopy)
	e.run("abort", multipartAbort)
	e.run("lists", multipartLists)
	e.run("conditions", multipartConditions)
	e.run("errors", multipartErrors)
}

// create starts an upload.
func (e *env) create(key string) s3.UploadID {
	e.Helper()
	id, err := e.c.CreateUpload(e.ctx, &s3.CreateUploadInput{Bucket: e.bucket, Key: key})
	e.ok("create", err)
	if id.Bucket != e.bucket || id.Key != key || id.ID == "" {
		e.Fatalf("upload = %+v", id)
	}
	return id
}

// part uploads a part.
func (e *env) part(id s3.UploadID, number int, body []byte) s3.Part {
	e.Helper()
	p, err := e.c.UploadPart(e.ctx, &s3.UploadPartInput{
		Upload: id, PartNumber: number, Body: bytes.NewReader(body), Size: int64(len(body)),
	})
	e.ok(fmt.Sprintf("part %d", number), err)
	if p.Number != number || p.Size != int64(len(body)) || p.ETag == "" {
		e.Fatalf("part = %+v", p)
	}
	return *p
}

// complete makes the object.
func (e *env) complete(id s3.UploadID, parts ...s3.Part) *s3.PutOutput {
	e.Helper()
	out, err := e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id, Parts: parts})
	e.ok("complete", err)
	return out
}

// multipartLife uploads parts out of order, one of them twice, and some never used.
func multipartLife(e *env) {
	in := &s3.CreateUploadInput{Bucket: e.bucket, Key: "whole"}
	in.ContentType, in.Metadata = "text/x", map[string]string{"k": "ü"}
	id, err := e.c.CreateUpload(e.ctx, in)
	e.ok("create", err)
	body := pattern(s3.MinPartSize*2 + 1000)
	first, second, last := body[:s3.MinPartSize], body[s3.MinPartSize:2*s3.MinPartSize], body[2*s3.MinPartSize:]
	p9 := e.part(id, 9, last)
	e.part(id, 2, first)
	p2 := e.part(id, 2, second)
	p1 := e.part(id, 1, first)
	if e.has(UnusedParts) {
		e.part(id, 7, []byte("not used"))
	}
	if p1.ETag != quotedMD5(string(first)) {
		e.Errorf("part's ETag = %s", p1.ETag)
	}
	e.absent("whole")
	out := e.complete(id, p1, p2, p9)
	e.holds("whole", string(body))
	info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: "whole"})
	e.ok("head", err)
	if !e.has(MultipartETag) {
		out.ETag = info.ETag
	} else if !strings.HasSuffix(out.ETag, `-3"`) {
		e.Errorf("ETag = %s", out.ETag)
	}
	e.checkInfo(info, "whole", int64(len(body)), out.ETag)
	if info.ContentType != "text/x" || info.Metadata["k"] != "ü" {
		e.Errorf("info = %+v", info)
	}
	id = e.create("single")
	e.complete(id, e.part(id, 1, []byte("one small part")))
	e.holds("single", "one small part")
	e.noUploads("whole")
}

// multipartResume continues an upload with its stored id.
func multipartResume(e *env) {
	body := pattern(s3.MinPartSize + 10)
	id := e.create("resumed")
	e.part(id, 1, body[:s3.MinPartSize])
	again := s3.UploadID{Bucket: id.Bucket, Key: id.Key, ID: id.ID}
	page, err := e.c.ListParts(e.ctx, &s3.ListPartsInput{Upload: again})
	e.ok("list parts", err)
	if len(page.Parts) != 1 || page.Parts[0].Number != 1 || page.Parts[0].Size != s3.MinPartSize {
		e.Fatalf("parts = %+v", page.Parts)
	}
	e.complete(again, page.Parts[0], e.part(again, 2, body[s3.MinPartSize:]))
	e.holds("resumed", string(body))
}

// multipartCopy makes parts from ranges of another object.
func multipartCopy(e *env) {
	e.need(PartCopy)
	body := pattern(s3.MinPartSize + 5000)
	source := "source"
	if e.has(PartCopyKeys) {
		source = "source ü+%"
	}
	etag := e.put(source, string(body))
	id := e.create("copied")
	copyPart := func(number int, first, last int64) s3.Part {
		p, err := e.c.CopyPart(e.ctx, &s3.CopyPartInput{
			Upload: id, PartNumber: number, SrcBucket: e.bucket, SrcKey: source, First: first, Last: last,
		})
		e.ok("copy part", err)
		if p.Number != number || p.ETag == "" || p.Size != last-first+1 {
			e.Errorf("part = %+v", p)
		}
		return *p
	}
	e.complete(id, copyPart(1, 100, s3.MinPartSize+99), e.part(id, 2, slices.Repeat([]byte("new "), s3.MinPartSize/4)), copyPart(3, 0, 0))
	e.holds("copied", string(body[100:s3.MinPartSize+100])+strings.Repeat("new ", s3.MinPartSize/4)+string(body[:1]))
	id = e.create("copied")
	for name, in := range map[string]s3.CopyPartInput{
		"range past the end": {First: 0, Last: int64(len(body))},
		"absent source":      {SrcKey: "absent", First: 0, Last: 1},
		"other version":      {SrcIf: s3.Conditions{IfMatch: quotedMD5("other")}, First: 0, Last: 1},
	} {
		if in.SrcIf.IfMatch != "" && !e.has(ConditionalCopySource) {
			continue
		}
		in.Upload, in.PartNumber, in.SrcBucket = id, 1, e.bucket
		if in.SrcKey == "" {
			in.SrcKey = "source ü+%"
		}
		if _, err := e.c.CopyPart(e.ctx, &in); err == nil {
			e.Errorf("%s: no error", name)
		} else if in.SrcIf.IfMatch != "" {
			e.fails(name, err, s3.ErrPreconditionFailed)
		}
	}
	_, err := e.c.CopyPart(e.ctx, &s3.CopyPartInput{
		Upload: id, PartNumber: 1, SrcBucket: e.bucket, SrcKey: source, SrcIf: s3.Conditions{IfMatch: etag}, First: 0, Last: 9,
	})
	e.ok("copy part of this version", err)
	e.ok("abort", e.c.AbortUpload(e.ctx, id))
}

// multipartAbort drops an upload, also twice.
func multipartAbort(e *env) {
	id := e.create("aborted")
	p := e.part(id, 1, []byte("x"))
	e.ok("abort", e.c.AbortUpload(e.ctx, id))
	e.ok("abort again", e.c.AbortUpload(e.ctx, id))
	e.absent("aborted")
	e.noUploads("aborted")
	if e.has(AbortedUploads) {
		_, err := e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{p}})
		e.fails("complete after abort", err, s3.ErrNotFound)
	}
	_, err := e.c.UploadPart(e.ctx, &s3.UploadPartInput{Upload: id, PartNumber: 1, Body: strings.NewReader("x"), Size: 1})
	e.fails("part after abort", err, s3.ErrNotFound)
}

// multipartLists lists uploads and parts in pages.
func multipartLists(e *env) {
	var ids []s3.UploadID
	for _, key := range []string{"l/a", "l/b", "l/b", "l/c d+ü", "m"} {
		ids = append(ids, e.create(key))
	}
	e.run("uploads", func(e *env) {
		e.need(UploadLists)
		for _, size := range []int{0, 1, 2} {
			if size == 1 {
				e.need(UploadPages)
			}
			if got := e.uploads("l/", size); !sameUploads(got, ids[:4]) {
				e.Errorf("pages of %d: %+v\nwant %+v", size, got, ids[:4])
			}
		}
	})
	e.run("parts", func(e *env) {
		e.need(ListParts)
		numbers := []int{1, 2, 5, 9, 10_000}
		for _, n := range numbers {
			e.part(ids[0], n, fmt.Append(nil, n))
		}
		for _, size := range []int{0, 1, 2} {
			if got := e.parts(ids[0], size); !slices.Equal(got, numbers) {
				e.Errorf("pages of %d: parts %v, want %v", size, got, numbers)
			}
		}
	})
	for _, id := range ids {
		e.ok("abort", e.c.AbortUpload(e.ctx, id))
	}
}

// uploads lists the uploads below a prefix to the end.
func (e *env) uploads(prefix string, size int) (all []s3.UploadID) {
	e.Helper()
	in := &s3.ListUploadsInput{Bucket: e.bucket, Prefix: prefix, MaxUploads: size}
	for range 100 {
		page, err := e.c.ListUploads(e.ctx, in)
		e.ok("list uploads", err)
		for _, u := range page.Uploads {
			all = append(all, u.UploadID)
		}
		if !page.Truncated {
			return all
		}
		in.KeyMarker, in.UploadIDMarker = page.NextKeyMarker, page.NextUploadIDMarker
	}
	e.Fatal("the list does not end")
	return nil
}

// parts lists the numbers of an upload's parts to the end.
func (e *env) parts(id s3.UploadID, size int) (all []int) {
	e.Helper()
	in := &s3.ListPartsInput{Upload: id, MaxParts: size}
	for range 100 {
		page, err := e.c.ListParts(e.ctx, in)
		e.ok("list parts", err)
		for _, p := range page.Parts {
			all = append(all, p.Number)
		}
		if !page.Truncated {
			return all
		}
		in.PartNumberMarker = page.NextMarker
	}
	e.Fatal("the list does not end")
	return nil
}

// sameUploads compares in key order; uploads to one key may come in any order.
func sameUploads(got, want []s3.UploadID) bool {
	byID := func(a, b s3.UploadID) int {
		return strings.Compare(a.Key+"\x00"+a.ID, b.Key+"\x00"+b.ID)
	}
	byKey := func(a, b s3.UploadID) int { return strings.Compare(a.Key, b.Key) }
	return slices.IsSortedFunc(got, byKey) &&
		slices.Equal(slices.SortedFunc(slices.Values(got), byID), slices.SortedFunc(slices.Values(want), byID))
}

// multipartConditions completes only over the right version.
func multipartConditions(e *env) {
	e.need(ConditionalComplete)
	etag := e.put("cond", "old")
	try := func(key, match, none string) error {
		id := e.create(key)
		p := e.part(id, 1, []byte("new"))
		_, err := e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{
			Upload: id, Parts: []s3.Part{p}, IfMatch: match, IfNoneMatch: none,
		})
		return errors.Join(err, e.c.AbortUpload(e.ctx, id))
	}
	e.fails("over any object", try("cond", "", "*"), s3.ErrPreconditionFailed)
	e.fails("over another version", try("cond", quotedMD5("other"), ""), s3.ErrPreconditionFailed)
	e.holds("cond", "old")
	e.ok("over this version", try("cond", etag, ""))
	e.holds("cond", "new")
	e.ok("over nothing", try("fresh", "", "*"))
	e.holds("fresh", "new")
}

// multipartErrors checks what must not become an object.
func multipartErrors(e *env) {
	id := e.create("errors")
	p1 := e.part(id, 1, []byte("too small"))
	p2 := e.part(id, 2, []byte("the last"))
	for name, parts := range map[string][]s3.Part{
		"too small a part":    {p1, p2},
		"wrong order":         {p2, p1},
		"absent part":         {p1, {Number: 3, ETag: p1.ETag}},
		"ETag of other bytes": {{Number: 1, ETag: quotedMD5("other"), Size: p1.Size, Checksum: p1.Checksum}},
	} {
		if !e.has(PartOrder) {
			break
		}
		_, err := e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id, Parts: parts})
		if typed := new(*s3.Error); !errors.As(err, typed) {
			e.Errorf("%s: %v", name, err)
		}
		e.absent("errors")
	}
	if _, err := e.c.CompleteUpload(e.ctx, &s3.CompleteUploadInput{Upload: id}); err == nil {
		e.Error("complete without parts: no error")
	}
	for _, n := range []int{0, -1, 10_001} {
		_, err := e.c.UploadPart(e.ctx, &s3.UploadPartInput{Upload: id, PartNumber: n, Body: strings.NewReader("x"), Size: 1})
		e.fails(fmt.Sprintf("part %d", n), err, s3.ErrInvalidInput)
	}
	if e.has(UnusedParts) {
		e.complete(id, p1)
		e.holds("errors", "too small")
	}
}
