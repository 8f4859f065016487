package s3_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// exampleOptions are for the server that S3_ENDPOINT names, with S3_BUCKET,
// S3_ACCESS_KEY, S3_SECRET_KEY and S3_REGION, or for one in memory. done ends it.
func exampleOptions() (o s3.Options, bucket string, done func()) {
	if endpoint := os.Getenv("S3_ENDPOINT"); endpoint != "" {
		return s3.Options{
			Endpoint:    endpoint,
			Region:      os.Getenv("S3_REGION"),
			Credentials: s3.StaticCredentials(os.Getenv("S3_ACCESS_KEY"), os.Getenv("S3_SECRET_KEY"), ""),
		}, os.Getenv("S3_BUCKET"), func() {}
	}
	server, err := s3test.Start(s3test.Options{Buckets: []string{"examples"}, AccessKey: "id", SecretKey: "secret"})
	if err != nil {
		log.Fatal(err)
	}
	return s3.Options{Endpoint: server.URL(), Credentials: s3.StaticCredentials("id", "secret", "")}, "examples", server.Close
}

// example returns a client and a bucket for an example. done ends it.
func example() (c *s3.Client, bucket string, done func()) {
	o, bucket, end := exampleOptions()
	c, err := s3.New(o)
	if err != nil {
		log.Fatal(err)
	}
	return c, bucket, func() { c.Close(); end() }
}

// put stores a small object.
func put(c *s3.Client, bucket, key, body string) {
	_, err := c.Put(context.Background(), &s3.PutInput{Bucket: bucket, Key: key, Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleClient_Put() {
	c, bucket, done := example()
	defer done()
	out, err := c.Put(context.Background(), &s3.PutInput{
		Bucket: bucket, Key: "hello.txt",
		Body: strings.NewReader("hello"), Size: 5,
		ObjectOptions: s3.ObjectOptions{
			ContentType: "text/plain",
			Metadata:    map[string]string{"author": "Zoë"}, // RFC 2047 on the wire
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(out.ETag)
	// Output: "5d41402abc4b2a76b9719d911017c592"
}

// A write that neither overwrites an object nor loses an update of another client.
func ExampleClient_Put_conditions() {
	c, bucket, done := example()
	defer done()
	ctx := context.Background()
	if _, err := c.Delete(ctx, &s3.DeleteInput{Bucket: bucket, Key: "lock"}); err != nil {
		log.Fatal(err)
	}
	write := func(ifMatch, ifNoneMatch string) (string, error) {
		out, err := c.Put(ctx, &s3.PutInput{Bucket: bucket, Key: "lock", Body: strings.NewReader("mine"), Size: 4,
			IfMatch: ifMatch, IfNoneMatch: ifNoneMatch})
		if err != nil {
			return "", err
		}
		return out.ETag, nil
	}
	etag, err := write("", "*")
	fmt.Println(err)
	_, err = write("", "*")
	fmt.Println(errors.Is(err, s3.ErrPreconditionFailed))
	_, err = write(etag, "")
	fmt.Println(err)
	// Output:
	// <nil>
	// true
	// <nil>
}

func ExampleClient_Get() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "digits", "0123456789")
	out, err := c.Get(context.Background(), &s3.GetInput{Bucket: bucket, Key: "digits", Range: s3.Last(3)})
	if err != nil {
		log.Fatal(err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body) // an error if the body is cut short
	fmt.Printf("%s from %d of %d, %v\n", b, out.Offset, out.Size, err)
	// Output: 789 from 7 of 10, <nil>
}

func ExampleClient_GetInto() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "digits", "0123456789")
	buf := make([]byte, 4)
	out, n, err := c.GetInto(context.Background(), &s3.GetInput{Bucket: bucket, Key: "digits", Range: s3.Bytes(2, 5)}, buf)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s, %d of %d bytes\n", buf[:n], n, out.Size)
	// Output: 2345, 4 of 10 bytes
}

func ExampleClient_GetTo() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "digits", "0123456789")
	out, _, err := c.GetTo(context.Background(), &s3.GetInput{Bucket: bucket, Key: "digits"}, os.Stdout)
	if err != nil {
		log.Fatal(err)
	}
	// The same again costs nothing while the object is the same.
	_, _, err = c.GetTo(context.Background(), &s3.GetInput{Bucket: bucket, Key: "digits", Conditions: s3.Conditions{IfNoneMatch: out.ETag}}, os.Stdout)
	fmt.Println("", errors.Is(err, s3.ErrNotModified))
	// Output: 0123456789 true
}

func ExampleClient_Head() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "digits", "0123456789")
	info, err := c.Head(context.Background(), &s3.HeadInput{Bucket: bucket, Key: "digits"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Size, info.ETag)
	_, err = c.Head(context.Background(), &s3.HeadInput{Bucket: bucket, Key: "absent"})
	fmt.Println(errors.Is(err, s3.ErrNotFound))
	// Output:
	// 10 "781e5e245d69b566979b86e28d23f2c7"
	// true
}

// Uploads carry a checksum if the server supports it, and downloads of whole objects
// are verified.
func ExampleChecksum() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "digits", "0123456789")
	info, err := c.Head(context.Background(), &s3.HeadInput{Bucket: bucket, Key: "digits"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Checksum.Algorithm, info.Checksum.Value)
	// Output: CRC32C KAwGng==
}

func ExampleClient_HeadBucket() {
	c, bucket, done := example()
	defer done()
	info, err := c.HeadBucket(context.Background(), bucket)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Region)
	// Output: us-east-1
}

func ExampleClient_Delete() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "old", "x")
	for range 2 { // an absent key is no error
		_, err := c.Delete(context.Background(), &s3.DeleteInput{Bucket: bucket, Key: "old"})
		fmt.Println(err)
	}
	// Output:
	// <nil>
	// <nil>
}

func ExampleClient_DeleteMulti() {
	c, bucket, done := example()
	defer done()
	put(c, bucket, "a", "x")
	results, err := c.DeleteMulti(context.Background(), &s3.DeleteMultiInput{Bucket: bucket,
		Objects: []s3.ObjectID{{Key: "a"}, {Key: "absent"}}})
	if err != nil {
		log.Fatal(err)
	}
	for _, r := range results {
		fmt.Println(r.Key, r.Err)
	}
	// Output:
	// a <nil>
	// absent <nil>
}

func ExampleClient_Ls() {
	c, bucket, done := example()
	defer done()
	for _, key := range []string{"ls/a", "ls/b", "ls/c"} {
		put(c, bucket, key, "x")
	}
	in := &s3.LsInput{Bucket: bucket, Prefix: "ls/", MaxKeys: 2}
	for {
		page, err := c.Ls(context.Background(), in)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(len(page.Objects), "objects")
		if page.NextToken == "" {
			break
		}
		in.ContinuationToken = page.NextToken
	}
	// Output:
	// 2 objects
	// 1 objects
}

func ExampleClient_LsAll() {
	c, bucket, done := example()
	defer done()
	for _, key := range []string{"tree/b", "tree/a/1", "tree/a/2"} {
		put(c, bucket, key, "x")
	}
	for e, err := range c.LsAll(context.Background(), &s3.LsInput{Bucket: bucket, Prefix: "tree/", Delimiter: "/"}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(e.Key, e.IsPrefix)
	}
	// Output:
	// tree/a/ true
	// tree/b false
}
