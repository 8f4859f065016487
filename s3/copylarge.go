package s3

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const (
	// copyPartSize is the size of a part of a large copy. Servers copy about 100 MB/s,
	// so that repeating a failed part takes seconds.
	copyPartSize = 512 << 20
	// copyParallel is the number of parts of one copy that are copied at the same time.
	copyParallel = 8
	// abortTimeout bounds the cleanup after a failure. The cleanup continues when the
	// caller's context ends.
	abortTimeout = 10 * time.Second
)

// mayBeTooLarge reports whether err can be the refusal of CopyObject for a source of
// more than 5 GiB: "The specified copy source is larger than the maximum allowable
// size".
func mayBeTooLarge(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return e.kind == ErrTooLarge || e.Status == http.StatusBadRequest && (e.Code == "InvalidRequest" || e.Code == "InvalidArgument")
}

// copyLarge copies src by parts. The parts are small if the server cannot copy them and
// the client must relay them.
func (c *Client) copyLarge(ctx context.Context, in *CopyInput, src *ObjectInfo) (*CopyOutput, error) {
	if src.Size == 0 {
		return c.serverCopy(ctx, in) // an upload needs at least one byte
	}
	step := int64(copyPartSize)
	if c.features(in.Bucket).support(FeaturePartCopy).missing() || isMultiRegion(in.SrcBucket) {
		step = relayPart
	}
	return c.copyByParts(ctx, in, src, step)
}

// copyByParts copies src by parts of at least step bytes.
func (c *Client) copyByParts(ctx context.Context, in *CopyInput, src *ObjectInfo, step int64) (*CopyOutput, error) {
	options, err := c.copyOptions(ctx, in, src)
	if err != nil {
		return nil, err
	}
	id, err := c.CreateUpload(ctx, &CreateUploadInput{Bucket: in.Bucket, Key: in.Key, ObjectOptions: options})
	if err != nil {
		return nil, err
	}
	parts, err := c.copyParts(ctx, in, id, src, step)
	var out *PutOutput
	if err == nil {
		out, err = c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: parts,
			IfMatch: in.IfMatch, IfNoneMatch: in.IfNoneMatch, SSE: in.SSE.Customer})
	}
	if err != nil {
		return nil, c.abandon(ctx, id, err)
	}
	return &CopyOutput{ETag: out.ETag, LastModified: out.Date, VersionID: out.VersionID}, nil
}

// abandon aborts an upload after err and returns err, joined with the error of the
// abort.
func (c *Client) abandon(ctx context.Context, id UploadID, err error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	if aerr := c.AbortUpload(ctx, id); aerr != nil {
		return errors.Join(err, aerr)
	}
	return err
}

// copyOptions returns the properties of the target of a copy by parts. CopyObject keeps
// the properties of the source by itself; an upload does not.
func (c *Client) copyOptions(ctx context.Context, in *CopyInput, src *ObjectInfo) (ObjectOptions, error) {
	o := in.ObjectOptions
	o.KeepTags = false
	if !in.ReplaceMetadata {
		o.ContentType, o.ContentEncoding, o.ContentDisposition = src.ContentType, src.ContentEncoding, src.ContentDisposition
		o.ContentLanguage, o.CacheControl, o.Expires = src.ContentLanguage, src.CacheControl, src.Expires
		o.Metadata = src.Metadata
	}
	setDefault(&o.StorageClass, src.StorageClass)
	if len(o.Tags) > 0 {
		return o, nil
	}
	tags, err := c.tags(ctx, in.SrcBucket, in.SrcKey, in.SrcVersionID)
	o.Tags = tags
	return o, err
}

// copyParts copies all bytes of src and returns the parts in order.
func (c *Client) copyParts(ctx context.Context, in *CopyInput, id UploadID, src *ObjectInfo, step int64) ([]Part, error) {
	size := partSizeFor(src.Size, step)
	n := int((src.Size + size - 1) / size)
	parts := make([]Part, n)
	err := parallel(ctx, copyParallel, n, func(ctx context.Context, i int) error {
		first := int64(i) * size
		p, err := c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: i + 1,
			SrcBucket: in.SrcBucket, SrcKey: in.SrcKey, SrcVersionID: in.SrcVersionID, SrcIf: Conditions{IfMatch: src.ETag},
			First: first, Last: min(first+size, src.Size) - 1, SSE: in.SSE.Customer, SrcSSE: in.SrcSSE})
		if err != nil {
			return err
		}
		parts[i] = *p
		return nil
	})
	return parts, err
}

// partSizeFor returns the smallest multiple of step that divides size bytes into at
// most MaxPartNumber parts.
func partSizeFor(size, step int64) int64 {
	most := step * MaxPartNumber
	return step * ((size + most - 1) / most)
}

// parallel runs f for 0 to n-1 on at most width goroutines. The first error cancels the
// context of the other calls and is returned.
func parallel(ctx context.Context, width, n int, f func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(width, n) {
		wg.Go(func() {
			for i := range next {
				if err := f(ctx, i); err != nil {
					cancel(err)
				}
			}
		})
	}
	for i := 0; i < n && ctx.Err() == nil; i++ {
		select {
		case next <- i:
		case <-ctx.Done():
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
