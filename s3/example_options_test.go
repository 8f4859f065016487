package s3_test

import (
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// show prints where a request would go.
func show(http.RoundTripper) http.RoundTripper {
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		fmt.Println(r.Method, r.URL)
		return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
	})
}

func ExampleNew() {
	for _, o := range []s3.Options{
		{Region: "eu-west-1"}, // AWS; a bucket elsewhere is found by itself
		{Region: "us-gov-west-1", DualStack: true, FIPS: true},
		{Accelerate: true},
		{Endpoint: "http://127.0.0.1:9000", IPFamily: s3.IPv4Only}, // another server
		{Endpoint: "https://s3.example.com", Addressing: s3.AddressingVirtualHost},
	} {
		o.Transport = show // instead of a network
		c, err := s3.New(o)
		if err != nil {
			log.Fatal(err)
		}
		if _, err := c.Head(context.Background(), &s3.HeadInput{Bucket: "bucket", Key: "dir/key"}); !errors.Is(err, s3.ErrNotFound) {
			log.Fatal(err)
		}
		c.Close()
	}
	_, err := s3.New(s3.Options{Endpoint: "ftp://127.0.0.1"})
	fmt.Println(err)
	// Output:
	// HEAD https://bucket.s3.eu-west-1.amazonaws.com/dir/key
	// HEAD https://bucket.s3-fips.dualstack.us-gov-west-1.amazonaws.com/dir/key
	// HEAD https://bucket.s3-accelerate.amazonaws.com/dir/key
	// HEAD http://127.0.0.1:9000/bucket/dir/key
	// HEAD https://bucket.s3.example.com/dir/key
	// New: invalid input: option Endpoint: scheme "ftp" is neither http nor https
}

// A temporary key has a session token.
func ExampleStaticCredentials() {
	c, err := s3.New(s3.Options{Region: "eu-west-1", Credentials: s3.StaticCredentials("AKIDEXAMPLE", "secret", "token")})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	p, err := c.PresignGet(context.Background(), &s3.GetInput{Bucket: "bucket", Key: "k"}, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	url, query, _ := strings.Cut(p.URL, "?")
	fmt.Println(url, strings.Contains(query, "X-Amz-Security-Token=token"))
	// Output: https://bucket.s3.eu-west-1.amazonaws.com/k true
}

// The keys of a profile, found like AWS's tools find them.
func ExampleDefaultCredentials() {
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "credentials") // as ~/.aws/credentials
	keys := "[backup]\naws_access_key_id = AKIDEXAMPLE\naws_secret_access_key = secret\nregion = eu-west-1\n"
	if err := os.WriteFile(file, []byte(keys), 0o600); err != nil {
		log.Fatal(err)
	}
	defer os.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.Getenv("AWS_SHARED_CREDENTIALS_FILE"))
	if err := os.Setenv("AWS_SHARED_CREDENTIALS_FILE", file); err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	credentials, err := s3.DefaultCredentials(ctx, "backup")
	if err != nil {
		log.Fatal(err)
	}
	region, err := s3.DefaultRegion(ctx, "backup")
	if err != nil {
		log.Fatal(err)
	}
	c, err := s3.New(s3.Options{Region: region, Credentials: credentials})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	p, err := c.PresignHead(ctx, &s3.HeadInput{Bucket: "bucket", Key: "k"}, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(strings.Contains(p.URL, "bucket.s3.eu-west-1.amazonaws.com"), strings.Contains(p.URL, "AKIDEXAMPLE"))
	// Output: true true
}

// At most two requests are in progress, regardless of the number of calls.
func ExampleOptions_connections() {
	o, bucket, done := exampleOptions()
	defer done()
	o.Connections, o.ConnectTimeout = 2, 3*time.Second
	c, err := s3.New(o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() { put(c, bucket, fmt.Sprintf("many/%d", i), "x") })
	}
	wg.Wait()
	page, err := c.Ls(context.Background(), &s3.LsInput{Bucket: bucket, Prefix: "many/"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(page.Objects))
	// Output: 10
}

// flaky answers the first request with 503 Slow Down.
func flaky(next http.RoundTripper) http.RoundTripper {
	first := true
	return roundTripper(func(r *http.Request) (*http.Response, error) {
		if first {
			first = false
			return &http.Response{StatusCode: http.StatusServiceUnavailable, Body: http.NoBody, Request: r}, nil
		}
		return next.RoundTrip(r)
	})
}

// roundTripper is a function as an http.RoundTripper.
type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func ExampleOptions_retry() {
	o, bucket, done := exampleOptions()
	defer done()
	o.StallTimeout = time.Minute  // cut a transfer that stands still for so long, and go on with it
	o.Deadline = 10 * time.Minute // try again for so long
	o.MaxAttempts = 100
	o.Transport = flaky
	o.Observer = func(a s3.Attempt) { fmt.Println(a.Op, a.Status, a.Retry) }
	c, err := s3.New(o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Delete(context.Background(), &s3.DeleteInput{Bucket: bucket, Key: "absent"})
	fmt.Println(err)
	// Output:
	// DeleteObject 503 0
	// DeleteObject 204 1
	// <nil>
}

// The owner of the bucket lets other accounts read and pay for it.
func ExampleOptions_requesterPays() {
	o, bucket, done := exampleOptions()
	defer done()
	o.RequesterPays = true
	c, err := s3.New(o)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	put(c, bucket, "dear", "gold")
	info, err := c.Head(context.Background(), &s3.HeadInput{Bucket: bucket, Key: "dear"})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(info.Size)
	// Output: 4
}

// A server whose certificate is not signed by a public authority.
func ExampleCertPool() {
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	dir, err := os.MkdirTemp("", "example")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		log.Fatal(err)
	}
	roots, err := s3.CertPool(file)
	if err != nil {
		log.Fatal(err)
	}
	c, err := s3.New(s3.Options{Endpoint: server.URL, RootCAs: roots})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	_, err = c.Head(context.Background(), &s3.HeadInput{Bucket: "bucket", Key: "k"})
	fmt.Println(errors.Is(err, s3.ErrNotFound)) // so the server was spoken to
	// Output: true
}
