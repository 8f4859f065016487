package main

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3mount/s3mount/integration/harness"
)

// seeds fill buckets.
var seeds = map[string]func(context.Context, *bucket) error{
	"1 GiB":        seedBig(1, gib),
	"4 x 256 MiB":  seedBig(4, gib/4),
	"256 MiB":      seedBig(1, gib/4),
	"128 MiB":      seedBig(1, gib/8),
	"10 x 64 MiB":  seedBig(10, 64*mib),
	"300 small":    seedSmall("small/f%04d", 300),
	"1200 small":   seedSmall("small/f%04d", 1200),
	"10000 names":  seedSmall("d/f%05d", 10000),
	"100000 names": seedLinks("d/f%06d", 100000),
	"tree of 2000": seedTree(2000, 221),
	"tree of 400":  seedTree(400, 21),
	"500 small":    seedSmall("d/f%03d", 500),
	"attributes":   seedAttributes,
}

// seedLinks puts one small object and gives it many names in the server's own
// directory: 100,000 PUTs take a minute.
func seedLinks(format string, n int) func(context.Context, *bucket) error {
	return func(ctx context.Context, b *bucket) error {
		first := fmt.Sprintf(format, 0)
		if err := b.Put(ctx, first, make([]byte, smallSize), nil); err != nil {
			return err
		}
		dir := filepath.Join(b.bench.server.Data, b.Bucket)
		for i := range b.n(n) - 1 {
			if err := os.Link(filepath.Join(dir, first), filepath.Join(dir, fmt.Sprintf(format, i+1))); err != nil {
				return fmt.Errorf("name an object: %w", err)
			}
		}
		return nil
	}
}

// seedAttributes lets s3mount write the tree of 2000 with attributes that are
// not the default ones.
func seedAttributes(ctx context.Context, b *bucket) error {
	bench := b.bench
	t, binary, err := bench.find(toolOwn)
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(bench.root, "seed")
	if err != nil {
		return fmt.Errorf("make a work directory: %w", err)
	}
	defer harness.RemoveUnmounted(work)
	tree := filepath.Join(work, "tree")
	for _, path := range treePaths(b.n(2000), 221) {
		f := filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(f), 0o750); err != nil {
			return fmt.Errorf("make the tree: %w", err)
		}
		if err := os.WriteFile(f, []byte(path), 0o640); err != nil {
			return fmt.Errorf("make the tree: %w", err)
		}
	}
	at := mountpoint{binary: binary, endpoint: bench.server.Endpoint, bucket: b.Bucket}
	return bench.mountFor(ctx, t, at, work, func(m *mounted) error {
		return bench.script(ctx, m.dir, `cd "$DIR/../tree"; find t -exec touch -d 2001-02-03T04:05:06 {} +; cp -rp t "$DIR"`, nil)
	})
}

// seedBig puts files of random bytes.
func seedBig(files int, size int64) func(context.Context, *bucket) error {
	return func(ctx context.Context, b *bucket) error {
		for i := range files {
			if err := upload(ctx, b, fmt.Sprintf("big%d", i), b.size(size)); err != nil {
				return err
			}
		}
		return nil
	}
}

func seedSmall(format string, n int) func(context.Context, *bucket) error {
	return func(ctx context.Context, b *bucket) error {
		var keys []string
		for i := range b.n(n) {
			keys = append(keys, fmt.Sprintf(format, i))
		}
		return b.PutMany(ctx, keys, func(string) []byte { return make([]byte, smallSize) })
	}
}

func seedTree(files, dirs int) func(context.Context, *bucket) error {
	return func(ctx context.Context, b *bucket) error {
		return b.PutMany(ctx, treePaths(b.n(files), dirs), func(string) []byte { return make([]byte, smallSize) })
	}
}

// treePaths spreads files over so many directories, t itself included: t, its
// children, and theirs.
func treePaths(files, dirs int) []string {
	wide := 20 // 221 = 1 + 20 + 20 × 10
	leaves := dirs - 1
	if dirs > wide+1 {
		leaves = dirs - 1 - wide
	}
	var keys []string
	for i := range files {
		l := i % leaves
		dir := fmt.Sprintf("t/d%02d", l%wide)
		if dirs > wide+1 {
			dir += fmt.Sprintf("/e%02d", l/wide)
		}
		keys = append(keys, fmt.Sprintf("%s/f%04d", dir, i))
	}
	return keys
}

// holds tells whether there are n files under prefix; 0 means none at all.
func holds(prefix string, n int) func(context.Context, *bucket) (bool, error) {
	return func(ctx context.Context, b *bucket) (bool, error) {
		keys, err := b.Keys(ctx, prefix)
		have := 0
		for _, k := range keys {
			if !strings.HasSuffix(k, "/") {
				have++
			}
		}
		if n == 0 {
			return have == 0, err
		}
		return have >= b.n(n), err
	}
}

// holdsBytes tells whether so many files out0, out1 and on have this size.
func holdsBytes(files, size int64) func(context.Context, *bucket) (bool, error) {
	return func(ctx context.Context, b *bucket) (bool, error) {
		total, err := totalSize(ctx, b, "out")
		return total >= files*b.size(size), err
	}
}

// changed tells whether big0 is no longer the object that seedBig put.
func changed(ctx context.Context, b *bucket) (bool, error) {
	head, err := b.Head(ctx, "big0")
	return err == nil && aws.ToString(head.ETag) != b.etag, err
}

func totalSize(ctx context.Context, b *bucket, prefix string) (int64, error) {
	var total int64
	p := s3.NewListObjectsV2Paginator(b.Client(), &s3.ListObjectsV2Input{Bucket: &b.Bucket, Prefix: &prefix})
	for p.HasMorePages() {
		page, err := p.NextPage(ctx)
		if err != nil {
			return 0, fmt.Errorf("list %q: %w", prefix, err)
		}
		for _, o := range page.Contents {
			total += aws.ToInt64(o.Size)
		}
	}
	return total, nil
}

// upload puts a large object of bytes that do not repeat, in parts.
func upload(ctx context.Context, b *bucket, key string, size int64) error {
	const part = 64 * mib
	create, err := b.Client().CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &b.Bucket, Key: &key})
	if err != nil {
		return fmt.Errorf("start the upload of %s: %w", key, err)
	}
	var parts []types.CompletedPart
	data := make([]byte, min(part, size))
	src := rand.NewChaCha8([32]byte{byte(len(key))})
	_, _ = src.Read(data) // never fails
	for off := int64(0); off < size; off += part {
		n := min(part, size-off)
		binary.BigEndian.PutUint64(data, uint64(off)) // so that no part is like another
		number := aws.Int32(int32(off/part) + 1)
		out, err := b.Client().UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &b.Bucket, Key: &key, UploadId: create.UploadId, PartNumber: number,
			Body: bytes.NewReader(data[:n]), ContentLength: &n,
		})
		if err != nil {
			return fmt.Errorf("upload %s: %w", key, err)
		}
		parts = append(parts, types.CompletedPart{ETag: out.ETag, PartNumber: number})
	}
	done, err := b.Client().CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &b.Bucket, Key: &key, UploadId: create.UploadId, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err != nil {
		return fmt.Errorf("complete the upload of %s: %w", key, err)
	}
	b.etag = aws.ToString(done.ETag)
	return nil
}
