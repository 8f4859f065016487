package s3

import (
	"context"
	"io"
	"iter"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

type Client struct{ opts Options }

func New(o Options) (*Client, error) { return &Client{opts: o}, nil }
func (c *Client) Close()             {}
func (c *Client) Get(ctx context.Context, in *GetInput) (*GetOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) Head(ctx context.Context, in *HeadInput) (*ObjectInfo, error) {
	return nil, ErrNotImplemented
}
func (c *Client) Put(ctx context.Context, in *PutInput) (*PutOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) Delete(ctx context.Context, in *DeleteInput) (*DeleteOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) DeleteMulti(ctx context.Context, in *DeleteMultiInput) ([]DeleteResult, error) {
	return nil, ErrNotImplemented
}
func (c *Client) HeadBucket(ctx context.Context, bucket string) (*BucketInfo, error) {
	return nil, ErrNotImplemented
}
func (c *Client) Ls(ctx context.Context, in *LsInput) (*LsPage, error) { return nil, ErrNotImplemented }
func (c *Client) LsAll(ctx context.Context, in *LsInput) iter.Seq2[LsEntry, error] {
	return func(yield func(LsEntry, error) bool) { yield(LsEntry{}, ErrNotImplemented) }
}
func (c *Client) Copy(ctx context.Context, in *CopyInput) (*CopyOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) CreateUpload(ctx context.Context, in *CreateUploadInput) (UploadID, error) {
	return UploadID{}, ErrNotImplemented
}
func (c *Client) UploadPart(ctx context.Context, in *UploadPartInput) (*Part, error) {
	return nil, ErrNotImplemented
}
func (c *Client) CopyPart(ctx context.Context, in *CopyPartInput) (*Part, error) {
	return nil, ErrNotImplemented
}
func (c *Client) CompleteUpload(ctx context.Context, in *CompleteUploadInput) (*PutOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) AbortUpload(ctx context.Context, id UploadID) error { return ErrNotImplemented }
func (c *Client) ListUploads(ctx context.Context, in *ListUploadsInput) (*UploadsPage, error) {
	return nil, ErrNotImplemented
}
func (c *Client) ListParts(ctx context.Context, in *ListPartsInput) (*PartsPage, error) {
	return nil, ErrNotImplemented
}
func (c *Client) GetInto(ctx context.Context, in *GetInput, p []byte) (*GetOutput, int, error) {
	return nil, 0, ErrNotImplemented
}
func (c *Client) GetTo(ctx context.Context, in *GetInput, w io.Writer) (*GetOutput, int64, error) {
	return nil, 0, ErrNotImplemented
}
func (c *Client) PutStream(ctx context.Context, in *PutStreamInput) (*PutOutput, error) {
	return nil, ErrNotImplemented
}
func (c *Client) PresignGet(ctx context.Context, in *GetInput, expires time.Duration) (*Presigned, error) {
	return nil, ErrNotImplemented
}
func (c *Client) PresignHead(ctx context.Context, in *HeadInput, expires time.Duration) (*Presigned, error) {
	return nil, ErrNotImplemented
}
func (c *Client) PresignPut(ctx context.Context, in *PutInput, expires time.Duration) (*Presigned, error) {
	return nil, ErrNotImplemented
}
func (c *Client) PresignDelete(ctx context.Context, in *DeleteInput, expires time.Duration) (*Presigned, error) {
	return nil, ErrNotImplemented
}
func (c *Client) PresignUploadPart(ctx context.Context, in *UploadPartInput, expires time.Duration) (*Presigned, error) {
	return nil, ErrNotImplemented
}
func (c *Client) Capabilities(ctx context.Context, bucket, prefix string) (*Capabilities, error) {
	return nil, ErrNotImplemented
}

func DefaultCredentials(ctx context.Context, profile string) (aws.CredentialsProvider, error) {
	return nil, ErrNoCredentials
}
func StaticCredentials(id, secret, token string) aws.CredentialsProvider { return nil }

type PutStreamInput struct {
	Bucket, Key string
	Body        io.Reader
	PartSize    int64
	Parallel    int
	ObjectOptions
	IfMatch, IfNoneMatch string
}
type Presigned struct {
	Method string
	URL    string
	Header http.Header
}
