package s3

import (
	"context"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

func (c *Client) ListUploads(ctx context.Context, in *ListUploadsInput) (*UploadsPage, error) {
	return nil, ErrNotImplemented
}
func (c *Client) ListParts(ctx context.Context, in *ListPartsInput) (*PartsPage, error) {
	return nil, ErrNotImplemented
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

func (c *Client) copyLarge(ctx context.Context, in *CopyInput) (*CopyOutput, error) {
	return nil, ErrNotImplemented
}
func mayBeTooLarge(err error) bool { return false }
