package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
)

const (
	// rawPart is the range that was fastest on loopback and on a link of 20 ms alike.
	rawPart = 8 * mib
	// rawConnections is what s3mount's --connections is by itself.
	rawConnections = 16
)

func rawClient(endpoint string) (*s3.Client, error) {
	c, err := s3.New(s3.Options{
		Endpoint: endpoint, Region: harness.Region,
		Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
	})
	if err != nil {
		return nil, fmt.Errorf("make the raw client: %w", err)
	}
	return c, nil
}

// rawRead reads big0 to big(files-1) by ranged GETs into memory.
func rawRead(files int) func(context.Context, *s3.Client, *bucket) error {
	return func(ctx context.Context, c *s3.Client, b *bucket) error {
		size := b.size(gib) / int64(files)
		parts := int((size + rawPart - 1) / rawPart)
		free := make(chan []byte, rawConnections)
		for range rawConnections {
			free <- make([]byte, rawPart)
		}
		return inParallel(rawConnections, files*parts, func(i int) error {
			off := int64(i%parts) * rawPart
			out, err := c.Get(ctx, &s3.GetInput{
				Bucket: b.Bucket, Key: fmt.Sprintf("big%d", i/parts), Range: s3.Bytes(off, min(off+rawPart, size)-1),
			})
			if err != nil {
				return fmt.Errorf("get a range: %w", err)
			}
			defer out.Body.Close()
			buf := <-free
			defer func() { free <- buf }()
			if _, err := io.ReadFull(out.Body, buf[:out.Length]); err != nil {
				return fmt.Errorf("read a range: %w", err)
			}
			return nil
		})
	}
}

// rawWrite writes 1 GiB as a multipart upload.
func rawWrite(ctx context.Context, c *s3.Client, b *bucket) error {
	size := b.size(gib)
	upload, err := c.CreateUpload(ctx, &s3.CreateUploadInput{Bucket: b.Bucket, Key: "out0"})
	if err != nil {
		return fmt.Errorf("create the upload: %w", err)
	}
	body := make([]byte, rawPart)
	_, _ = rand.NewChaCha8([32]byte{9}).Read(body) // never fails
	parts := make([]s3.Part, (size+rawPart-1)/rawPart)
	err = inParallel(rawConnections, len(parts), func(i int) error {
		n := min(rawPart, size-int64(i)*rawPart)
		p, err := c.UploadPart(ctx, &s3.UploadPartInput{Upload: upload, PartNumber: i + 1, Body: bytes.NewReader(body[:n]), Size: n})
		if err == nil {
			parts[i] = *p
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("upload the parts: %w", err)
	}
	if _, err := c.CompleteUpload(ctx, &s3.CompleteUploadInput{Upload: upload, Parts: parts}); err != nil {
		return fmt.Errorf("complete the upload: %w", err)
	}
	return nil
}
