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

// Referee looks at one bucket with another S3 client than the one under test,
// so that a mistake of package s3 cannot hide itself.
type Referee struct {
	Bucket string
	c      *s3.Client
}

// NewReferee speaks to endpoint (a URL) in path style with the credentials of
// this package's servers.
func NewReferee(endpoint, bucket string) *Referee {
	return &Referee{Bucket: bucket, c: s3.New(s3.Options{
		BaseEndpoint: aws.String(endpoint),
		Region:       Region,
		Credentials:  credentials.NewStaticCredentialsProvider(AccessKey, SecretKey, ""),
		UsePathStyle: true,
		// A connection pool of its own: tests end with servers going away.
		HTTPClient: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}},
		// gofakes3 stores aws-chunked trailers as part of the object.
		RequestChecksumCalculation: aws.RequestChecksumCalculationWhenRequired,
		ResponseChecksumValidation: aws.ResponseChecksumValidationWhenRequired,
	})}
}

// Client gives the SDK's own client for calls that Referee has no word for.
func (r *Referee) Client() *s3.Client { return r.c }

// CreateBucket makes the bucket; that it is there already is no error.
func (r *Referee) CreateBucket(ctx context.Context) error {
	_, err := r.c.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: &r.Bucket})
	var have *types.BucketAlreadyOwnedByYou
	if err != nil && !errors.As(err, &have) {
		return fmt.Errorf("create bucket %s: %w", r.Bucket, err)
	}
	return nil
}

// Put writes an object with optional user metadata.
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

// PutMany writes the same body under every key, several at a time.
func (r *Referee) PutMany(ctx context.Context, keys []string, body func(key string) []byte) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan string)
	var wg sync.WaitGroup
	for range 8 { // enough to keep two cores of server busy
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

// Get reads a whole object.
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

// Head tells an object's properties.
func (r *Referee) Head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	out, err := r.c.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return nil, fmt.Errorf("head %q: %w", key, err)
	}
	return out, nil
}

// Exists tells whether there is an object under exactly this key.
func (r *Referee) Exists(ctx context.Context, key string) (bool, error) {
	_, err := r.Head(ctx, key)
	var api smithy.APIError
	if errors.As(err, &api) && (api.ErrorCode() == "NotFound" || api.ErrorCode() == "NoSuchKey") {
		return false, nil
	}
	return err == nil, err
}

// Delete removes an object.
func (r *Referee) Delete(ctx context.Context, key string) error {
	_, err := r.c.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &r.Bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("delete %q: %w", key, err)
	}
	return nil
}

// Empty deletes the objects of the bucket. Keys that XML cannot hold may stay.
func (r *Referee) Empty(ctx context.Context) error {
	keys, err := r.Keys(ctx, "")
	if err != nil {
		return err
	}
	for batch := range slices.Chunk(keys, 1000) { // as many as DeleteObjects takes
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

// Keys lists every key under prefix in order. It uses version 1 of ListObjects and
// goes on after the last key of a page, which every server knows.
func (r *Referee) Keys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	in := &s3.ListObjectsInput{
		Bucket: &r.Bucket, Prefix: &prefix, EncodingType: types.EncodingTypeUrl, // XML cannot hold every key
	}
	for {
		page, err := r.c.ListObjects(ctx, in)
		if err != nil {
			return nil, fmt.Errorf("list %q: %w", prefix, err)
		}
		for _, o := range page.Contents {
			key := aws.ToString(o.Key)
			if page.EncodingType == types.EncodingTypeUrl { // some servers ignore it
				// Some servers write a space as +; all of them write + as %2B.
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

// Uploads lists the multipart uploads that were neither completed nor aborted.
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
