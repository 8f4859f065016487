package fs

import (
	"context"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/s3"
)

// unlisted is a store for credentials without s3:ListBucket. It sends no LIST. Names that a
// program knows are found by HEAD: a file by its key, and a directory by its marker.
type unlisted struct{ store }

// Head asks for one object. S3 answers for absent objects with 403, which counts as absent. If
// the object exists and may not be read, If-None-Match protects it from a file of that name.
func (u unlisted) Head(ctx context.Context, in *s3.HeadInput) (*s3.ObjectInfo, error) {
	denied := *in
	denied.DeniedIsAbsent = true
	return u.store.Head(ctx, &denied)
}

// Ls answers the question whether there is a directory, which asks for one key at most, by
// the marker of the directory. The error of every other listing is s3.ErrForbidden.
func (u unlisted) Ls(ctx context.Context, in *s3.LsInput) (*s3.LsPage, error) {
	if in.MaxKeys != 1 || in.Delimiter != "" {
		return nil, fmt.Errorf("list %q: this mount does not list (--no-list): %w", in.Prefix, s3.ErrForbidden)
	}
	info, err := u.Head(ctx, &s3.HeadInput{Bucket: in.Bucket, Key: in.Prefix})
	switch {
	case errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket):
		return &s3.LsPage{}, nil
	case err != nil:
		return nil, err
	}
	return &s3.LsPage{Objects: []s3.ListedObject{{
		Key: in.Prefix, Size: info.Size, ETag: info.ETag, LastModified: info.LastModified,
	}}}, nil
}
