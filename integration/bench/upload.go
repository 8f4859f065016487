package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// seedPart is the size of the parts of a large object that a client uploads.
const seedPart = 64 * mib

// randomPart generates bytes that do not repeat within a file.
type randomPart struct{ data []byte }

// newRandomPart returns a generator for the file with this number.
func newRandomPart(size int64, file uint64) randomPart {
	p := randomPart{make([]byte, size)}
	var seed [32]byte
	binary.BigEndian.PutUint64(seed[:], file)
	_, _ = rand.NewChaCha8(seed).Read(p.data) // never fails
	return p
}

// at returns n bytes for the offset off. The next call overwrites them.
func (p randomPart) at(off, n int64) []byte {
	binary.BigEndian.PutUint64(p.data, uint64(off))
	return p.data[:n]
}

// upload uploads a large object of random bytes in parts.
func upload(ctx context.Context, b *bucket, key string, size int64) error {
	create, err := b.Client().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.Bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("start the upload of %s: %w", key, err)
	}
	var parts []types.CompletedPart
	random := newRandomPart(min(seedPart, size), 0)
	for off := int64(0); off < size; off += seedPart {
		n := min(seedPart, size-off)
		number := aws.Int32(int32(off/seedPart) + 1)
		out, err := b.Client().UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &b.Bucket, Key: &key, UploadId: create.UploadId, PartNumber: number,
			Body: bytes.NewReader(random.at(off, n)), ContentLength: &n,
		})
		if err != nil {
			return fmt.Errorf("upload %s: %w", key, err)
		}
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: number})
	}
	if _, err := b.Client().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.Bucket, Key: &key, UploadId: create.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	}); err != nil {
		return fmt.Errorf("complete the upload of %s: %w", key, err)
	}
	return nil
}

// writeRandom writes a large file of random bytes.
func writeRandom(path string, size int64, file uint64) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	random := newRandomPart(mib, file)
	for off := int64(0); off < size; off += mib {
		if _, err := f.Write(random.at(off, min(mib, size-off))); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return f.Close()
}
