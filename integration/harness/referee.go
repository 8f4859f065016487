package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"sort"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

// Referee accesses one bucket with another S3 client, so that faults of package s3
// cannot hide.
type Referee struct {
	Bucket string
	c      *s3.Client
}

// NewReferee returns a client of endpoint (a URL) in path style with the account of the
// tests.
func NewReferee(endpoint, bucket string) *Referee {
	return &Referee{Bucket: bucket, c: s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		UsePathStyle: true,
		// A separate pool of connections, because tests stop their servers.
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		// gofakes3 would store aws-chunked trailers as part of the object.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})}
}

// Client returns the client of the SDK for other calls.
func (r *Referee) Client() *s3.Client { return r.c }

// CreateBucket creates the bucket unless it exists.
func (r *Referee) CreateBucket(ctx context.Context) error {
	_, err := r.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &r.Bucket})
	var have *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &have) {
		return fmt.Errorf("create bucket %s: %w", r.Bucket, err)
	}
	return nil
}

// Put writes an object. meta may be nil.
func (r *Referee) Put(ctx context.Context, key string, body []byte, meta map[string]string) error {
	_, err := r.c.PutObject(ctx, &s3.PutObjectInput{
		Bucket: &r.Bucket, Key: &key, Body: bytes.NewReader(body), Metadata: meta,
		ContentLength: aws.Int64(int64(len(body))),
	})
	if err != nil {
		return fmt.Errorf("put %q: %w", key, err)
	}
	return nil
}

// PutMany writes an object for every key, several at the same time.
func (r *Referee) PutMany(ctx context.Context, keys []string, body func(key string) []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan string)
	var wg sync.WaitGroup
	for range 8 { // enough to keep a server on two processors busy
		wg.Go(func() {
			for k := range work {
				if err := r.Put(ctx, k, body(k), nil); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, k := range keys {
		select {
		case work <- k:
		case <-ctx.Done():
		}
	}
	close(work)
	wg.Wait()
	return context.Cause(ctx)
}

// Get returns the content of an object.
func (r *Referee) Get(ctx context.Context, key string) ([]byte, error) {
	out, err := r.c.GetObject(ctx, &s3.GetObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("get %q: %w", key, err)
	}
	defer out.Body.Close()
	b, err := io.ReadAll(out.Body)
	if err != nil {
		return nil, fmt.Errorf("read body of %q: %w", key, err)
	}
	return b, nil
}

// Head returns the properties of an object.
func (r *Referee) Head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	out, err := r.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("head %q: %w", key, err)
	}
	return out, nil
}

// Exists reports whether an object with this key exists.
func (r *Referee) Exists(ctx context.Context, key string) (bool, error) {
	_, err := r.Head(ctx, key)
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "NotFound" || api.ErrorCode() == "NoSuchKey") {
		return false, nil
	}
	return err == nil, err
}

// Delete deletes an object.
func (r *Referee) Delete(ctx context.Context, key string) error {
	_, err := r.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	return nil
}

// Empty deletes all objects of the bucket, except for keys that are not valid in XML.
func (r *Referee) Empty(ctx context.Context) error {
	keys, err := r.Keys(ctx, "")
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(keys, 1000) { // limit of DeleteObjects
		ids := make([]types.ObjectIdentifier, 0, len(batch))
		for _, k := range batch {
			ids = append(ids, types.ObjectIdentifier{Key: &k})
		}
		_, err := r.c.DeleteObjects(ctx, &s3.DeleteObjectsInput{Bucket: &r.Bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)}})
		if err != nil {
			return fmt.Errorf("empty the bucket: %w", err)
		}
	}
	return nil
}

// Keys returns all keys with the prefix in order. It uses version 1 of ListObjects and
// continues after the last key of a page, which every server supports.
func (r *Referee) Keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	in := &s3.ListObjectsInput{
		Bucket: &r.Bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl, // not every key is valid in XML
	}
	for {
		page, err := r.c.ListObjects(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", prefix, err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if page.EncodingType == types.EncodingTypeUrl { // some servers ignore it
				// Some servers encode a space as +. All of them encode + as %2B.
				if key, err = url.QueryUnescape(key); err != nil {
					return nil, fmt.Errorf("read a key of the listing: %w", err)
				}
			}
			keys = append(keys, key)
		}
		if !aws.ToBool(page.IsTruncated) || len(page.Contents) == 0 {
			break
		}
		in.Marker = &keys[len(keys)-1]
	}
	sort.Strings(keys)
	return keys, nil
}

// Uploads returns the multipart uploads that were neither completed nor aborted.
func (r *Referee) Uploads(ctx context.Context) ([]string, error) {
	out, err := r.c.ListMultipartUploads(ctx, &s3.ListMultipartUploadsInput{Bucket: &r.Bucket})
	if err != nil {
		return nil, fmt.Errorf("list uploads: %w", err)
	}
	var keys []string
	for _, u := range out.Uploads {
		keys = append(keys, aws.ToString(u.Key))
	}
	return keys, nil
}
