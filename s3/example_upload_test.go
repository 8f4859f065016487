package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

func ExampleClient_PutStream() {
	c, bucket, done := example()
	defer done()
	r, w := io.Pipe() // of a length that nobody knows
	go func() {
		for range 1 << 10 {
			io.WriteString(w, strings.Repeat("ten bytes\n", 1<<10))
		}
		w.Close()
	}()
	ctx := context.Background()
	if _, err := c.PutStream(ctx, &s3.PutStreamInput{Bucket: bucket, Key: "stream", Body: r}); err != nil {
		log.Fatal(err)
	}
	info, err := c.Head(ctx, &s3.HeadInput{Bucket: bucket, Key: "stream"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Size)
	// Output: 10485760
}

// A multipart upload that continues after a restart.
func ExampleClient_CreateUpload() {
	c, bucket, done := example()
	defer done()
	ctx := context.Background()
	id, err := c.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: bucket, Key: "parts", NoCopies: true})
	if err != nil {
		log.Fatal(err)
	}
	file := strings.NewReader(strings.Repeat("x", s3.MinPartSize+10)) // any io.ReaderAt
	upload := func(id s3.UploadID, number int, off, size int64) s3.Part {
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Upload: id, PartNumber: number, Body: io.NewSectionReader(file, off, size), Size: size})
		if err != nil {
			log.Fatal(err)
		}
		return *p
	}
	upload(id, 1, 0, s3.MinPartSize)
	// The process may end here. The upload continues with the stored id.
	page, err := c.ListParts(ctx, &s3.ListPartsInput{Upload: id})
	if err != nil {
		log.Fatal(err)
	}
	parts := append(page.Parts, upload(id, len(page.Parts)+1, s3.MinPartSize, 10))
	out, err := c.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: id, Parts: parts})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.HasSuffix(out.ETag, `-2"`))
	// Output: true
}

// The first bytes of an object are replaced, and the rest is copied inside S3.
func ExampleClient_CopyPart() {
	c, bucket, done := example()
	defer done()
	ctx := context.Background()
	put(c, bucket, "big", strings.Repeat("a", s3.MinPartSize)+"tail")
	id, err := c.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: bucket, Key: "big"})
	if err != nil {
		log.Fatal(err)
	}
	first, err := c.UploadPart(ctx, &s3.UploadPartInput{Upload: id, PartNumber: 1,
		Body: strings.NewReader(strings.Repeat("b", s3.MinPartSize)), Size: s3.MinPartSize})
	if err != nil {
		log.Fatal(err)
	}
	rest, err := c.CopyPart(ctx, &s3.CopyPartInput{Upload: id, PartNumber: 2, SrcBucket: bucket, SrcKey: "big",
		First: s3.MinPartSize, Last: s3.MinPartSize + 3})
	if err != nil {
		log.Fatal(err)
	}
	if _, err := c.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{*first, *rest}}); err != nil {
		log.Fatal(err)
	}
	buf := make([]byte, 6)
	if _, _, err := c.GetInto(ctx, &s3.GetInput{Bucket: bucket, Key: "big", Range: s3.Last(6)}, buf); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", buf)
	// Output: bbtail
}

// Unfinished uploads of other clients are listed and aborted.
func ExampleClient_ListUploads() {
	c, bucket, done := example()
	defer done()
	ctx := context.Background()
	if _, err := c.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: bucket, Key: "left/behind"}); err != nil {
		log.Fatal(err)
	}
	page, err := c.ListUploads(ctx, &s3.ListUploadsInput{Bucket: bucket, Prefix: "left/"})
	if err != nil {
		log.Fatal(err)
	}
	for _, u := range page.Uploads {
		fmt.Println(u.Key, c.AbortUpload(ctx, u.UploadID))
	}
	// Output: left/behind <nil>
}

func ExampleClient_Copy() {
	c, bucket, done := example()
	defer done()
	ctx := context.Background()
	put(c, bucket, "from", "hello")
	_, err := c.Copy(ctx, &s3.CopyInput{SrcBucket: bucket, SrcKey: "from", Bucket: bucket, Key: "to",
		ReplaceMetadata: true, ObjectOptions: s3.ObjectOptions{Metadata: map[string]string{"mode": "33188"}}})
	if err != nil {
		log.Fatal(err)
	}
	info, err := c.Head(ctx, &s3.HeadInput{Bucket: bucket, Key: "to"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Size, info.Metadata["mode"])
	// Output: 5 33188
}

func ExampleClient_PresignGet() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "shared", "for all who have the URL")
	p, err := c.PresignGet(context.Background(), &s3.GetInput{Bucket: bucket, Key: "shared"}, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	resp, err := http.Get(p.URL)
	if err != nil {
		log.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	fmt.Println(string(b), err)
	// Output: for all who have the URL <nil>
}

func ExampleClient_PresignPut() {
	c, bucket, done := example()
	defer done()
	p, err := c.PresignPut(context.Background(), &s3.PutInput{Bucket: bucket, Key: "given",
		ObjectOptions: s3.ObjectOptions{ContentType: "text/plain"}}, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	req, err := http.NewRequest(p.Method, p.URL, strings.NewReader("hello"))
	if err != nil {
		log.Fatal(err)
	}
	req.Header = p.Header
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		log.Fatal(err)
	}
	resp.Body.Close()
	fmt.Println(resp.Status)
	// Output: 200 OK
}

func ExampleClient_ProbeFeatures() {
	c, bucket, done := example()
	defer done()
	found, err := c.ProbeFeatures(context.Background(), bucket)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found[s3.FeaturePutIfMatch])
	// Output: this server supports If-Match of PutObject
}

func ExampleError() {
	c, bucket, done := example()
	defer done()
	_, err := c.Get(context.Background(), &s3.GetInput{Bucket: bucket, Key: "absent"})
	var e *s3.Error
	switch {
	case errors.Is(err, s3.ErrNoSuchBucket):
		fmt.Println("no bucket")
	case errors.Is(err, s3.ErrNotFound) && errors.As(err, &e):
		fmt.Println(e.Op, e.Status, e.Code)
	case errors.Is(err, s3.ErrTransient):
		fmt.Println("try later")
	}
	// Output: GetObject 404 NoSuchKey
}
