package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
)

// namer finds the object of a path. *fs.Mount implements it.
type namer interface {
	Object(ctx context.Context, path string) (fs.Object, error)
}

// Objects answers the requests of s3mount info and s3mount restore.
type Objects struct {
	mount  namer
	client *s3.Client
	bucket string
}

var _ control.Objects = (*Objects)(nil)

// NewObjects returns the Objects of a mount.
func NewObjects(mount namer, client *s3.Client, bucket string) *Objects {
	return &Objects{mount: mount, client: client, bucket: bucket}
}

// Describe implements control.Objects.
func (o *Objects) Describe(ctx context.Context, path string, valid time.Duration) (control.Object, error) {
	named, err := o.mount.Object(ctx, path)
	if err != nil {
		return control.Object{}, err
	}
	d := control.Object{Path: path, Bucket: o.bucket, Key: named.Key, Kind: named.Kind, Unsaved: named.Unsaved}
	if named.Key == "" { // the bucket itself
		return d, nil
	}
	info, err := o.client.Head(ctx, &s3.HeadInput{Bucket: o.bucket, Key: named.Key})
	switch {
	case errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket):
		return d, nil
	case err != nil:
		return d, err
	}
	fill(&d, info)
	if info.TagCount > 0 {
		// A client that may not read tags still shows the rest.
		d.Tags, err = o.client.GetTags(ctx, &s3.GetTagsInput{Bucket: o.bucket, Key: named.Key, VersionID: info.VersionID})
		if err != nil && !errors.Is(err, s3.ErrForbidden) {
			return d, fmt.Errorf("read the tags: %w", err)
		}
	}
	if valid == 0 {
		return d, nil
	}
	url, err := o.client.PresignGet(ctx, &s3.GetInput{Bucket: o.bucket, Key: named.Key}, valid)
	if err != nil {
		return d, err
	}
	d.URL = url.URL
	for name := range url.Header {
		if d.Send == nil {
			d.Send = map[string]string{}
		}
		d.Send[name] = "" // the value may be a key
	}
	return d, nil
}

// Restore implements control.Objects.
func (o *Objects) Restore(ctx context.Context, path string, days int, tier string) (control.Object, error) {
	d, err := o.Describe(ctx, path, 0)
	if err != nil || !d.Archived || d.Restoring {
		return d, err
	}
	in := &s3.RestoreInput{Bucket: o.bucket, Key: d.Key, VersionID: d.Version, Days: days, Tier: tier}
	if d.Class == "INTELLIGENT_TIERING" {
		in.Days = 0 // it returns for good
	}
	if err := o.client.Restore(ctx, in); err != nil {
		return d, err
	}
	d.Restoring = true
	return d, nil
}

// fill adds what a HEAD shows.
func fill(d *control.Object, info *s3.ObjectInfo) {
	d.Exists, d.Size, d.ETag, d.Version, d.Class = true, info.Size, info.ETag, info.VersionID, info.StorageClass
	if d.Class == "" {
		d.Class = "STANDARD"
	}
	d.Modified, d.Metadata = timeOrNil(info.LastModified), info.Metadata
	for name, value := range map[string]string{"Content-Type": info.ContentType, "Content-Encoding": info.ContentEncoding,
		"Content-Disposition": info.ContentDisposition, "Content-Language": info.ContentLanguage,
		"Cache-Control": info.CacheControl, "Expires": info.Expires} {
		if value != "" {
			if d.Headers == nil {
				d.Headers = map[string]string{}
			}
			d.Headers[name] = value
		}
	}
	switch {
	case info.CustomerKey:
		d.Encrypted = &control.Encryption{Algorithm: "SSE-C"}
	case info.SSE != "":
		d.Encrypted = &control.Encryption{Algorithm: info.SSE, KeyID: info.KMSKeyID, BucketKey: info.BucketKeyEnabled}
	}
	if info.Checksum.Value != "" {
		d.Checksums = map[string]string{string(info.Checksum.Algorithm): info.Checksum.Value}
	}
	state := info.RestoreState()
	d.Archived, d.Restoring, d.Restored = info.Archived(), state.Ongoing, timeOrNil(state.Expires)
}

// timeOrNil returns a pointer to a time, or nil for the zero time.
func timeOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
