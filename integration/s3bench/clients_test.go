package s3bench

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/credentials"
	sdk "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/minio/minio-go/v7"
	miniocredentials "github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
)

// client does the work of a row through one library, each in the way that its
// documentation gives for it.
type client interface {
	head(ctx context.Context, key string) error
	get(ctx context.Context, key string, p []byte) error // the first len(p) bytes
	put(ctx context.Context, key string, p []byte) error
	ls(ctx context.Context, prefix string) (rows int, err error) // one page
}

// named is a client with the name of its library.
type named struct {
	name string
	client
}

// transport returns the HTTP transport of the peers, with as many connections and as
// large buffers as package s3. Their defaults are smaller and slower.
func transport() *http.Transport {
	return &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10}
}

// clients makes the three, to do the same work: a body that is put goes with
// its CRC32C. Over http the peers would also take its SHA-256; they are told
// not to, as package s3 does not.
func clients(tb testing.TB, endpoint, bucket string) []named {
	tb.Helper()
	own, err := s3.New(s3.Options{
		Endpoint: endpoint, Region: harness.Region,
		Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(own.Close)
	sdkClient := sdk.New(sdk.Options{
		BaseEndpoint: &endpoint, Region: harness.Region, UsePathStyle: true,
		Credentials: credentials.NewStaticCredentialsProvider(harness.AccessKey, harness.SecretKey, ""),
		HTTPClient:  &http.Client{Transport: transport()},
	}, sdk.WithAPIOptions(v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware))
	minioClient, err := minio.NewCore(strings.TrimPrefix(endpoint, "http://"), &minio.Options{
		Creds:     miniocredentials.NewStaticV4(harness.AccessKey, harness.SecretKey, ""),
		Transport: transport(), Region: harness.Region, TrailingHeaders: true,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return []named{{"s3", ours{own, bucket}}, {"aws-sdk", awsSDK{sdkClient, bucket, crc32.MakeTable(crc32.Castagnoli)}}, {"minio", minioGo{minioClient, bucket}}}
}

// ours is package s3.
type ours struct {
	c      *s3.Client
	bucket string
}

func (o ours) head(ctx context.Context, key string) error {
	_, err := o.c.Head(ctx, &s3.HeadInput{Bucket: o.bucket, Key: key})
	return err
}

func (o ours) get(ctx context.Context, key string, p []byte) error {
	_, n, err := o.c.GetInto(ctx, &s3.GetInput{Bucket: o.bucket, Key: key, Range: s3.Bytes(0, int64(len(p))-1)}, p)
	if err == nil && n != len(p) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (o ours) put(ctx context.Context, key string, p []byte) error {
	_, err := o.c.Put(ctx, &s3.PutInput{Bucket: o.bucket, Key: key, Body: bytes.NewReader(p), Size: int64(len(p))})
	return err
}

func (o ours) ls(ctx context.Context, prefix string) (int, error) {
	page, err := o.c.Ls(ctx, &s3.LsInput{Bucket: o.bucket, Prefix: prefix})
	if err != nil {
		return 0, err
	}
	return len(page.Objects), nil
}

// awsSDK is aws-sdk-go-v2/service/s3.
type awsSDK struct {
	c          *sdk.Client
	bucket     string
	castagnoli *crc32.Table
}

func (o awsSDK) head(ctx context.Context, key string) error {
	_, err := o.c.HeadObject(ctx, &sdk.HeadObjectInput{Bucket: &o.bucket, Key: &key})
	return err
}

func (o awsSDK) get(ctx context.Context, key string, p []byte) error {
	out, err := o.c.GetObject(ctx, &sdk.GetObjectInput{
		Bucket: &o.bucket, Key: &key, Range: aws.String(fmt.Sprintf("bytes=0-%d", len(p)-1)),
	})
	if err != nil {
		return err
	}
	defer out.Body.Close()
	_, err = io.ReadFull(out.Body, p)
	return err
}

// Over HTTP the SDK computes a SHA-256 in addition to its own checksum, so it gets the
// checksum.
func (o awsSDK) put(ctx context.Context, key string, p []byte) error {
	sum := binary.BigEndian.AppendUint32(nil, crc32.Checksum(p, o.castagnoli))
	_, err := o.c.PutObject(ctx, &sdk.PutObjectInput{
		Bucket: &o.bucket, Key: &key, Body: bytes.NewReader(p), ChecksumCRC32C: aws.String(base64.StdEncoding.EncodeToString(sum)),
	})
	return err
}

func (o awsSDK) ls(ctx context.Context, prefix string) (int, error) {
	page, err := o.c.ListObjectsV2(ctx, &sdk.ListObjectsV2Input{Bucket: &o.bucket, Prefix: &prefix})
	if err != nil {
		return 0, err
	}
	return len(page.Contents), nil
}

// minioGo is minio-go by its Core, which makes one request per call.
type minioGo struct {
	c      *minio.Core
	bucket string
}

func (o minioGo) head(ctx context.Context, key string) error {
	_, err := o.c.StatObject(ctx, o.bucket, key, minio.StatObjectOptions{})
	return err
}

func (o minioGo) get(ctx context.Context, key string, p []byte) error {
	var opts minio.GetObjectOptions
	if err := opts.SetRange(0, int64(len(p))-1); err != nil {
		return err
	}
	body, _, _, err := o.c.GetObject(ctx, o.bucket, key, opts)
	if err != nil {
		return err
	}
	defer body.Close()
	_, err = io.ReadFull(body, p)
	return err
}

func (o minioGo) put(ctx context.Context, key string, p []byte) error {
	_, err := o.c.Client.PutObject(ctx, o.bucket, key, bytes.NewReader(p), int64(len(p)),
		minio.PutObjectOptions{DisableMultipart: true, DisableContentSha256: true, Checksum: minio.ChecksumCRC32C})
	return err
}

func (o minioGo) ls(_ context.Context, prefix string) (int, error) {
	page, err := o.c.ListObjectsV2(o.bucket, prefix, "", "", "", pageRows)
	return len(page.Contents), err
}
