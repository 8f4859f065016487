package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/s3mount/s3mount/integration/harness"
)

// origin is the program that filled a bucket.
type origin string

const (
	// byClient is a bucket that another S3 client filled. A mount has stored the attributes
	// of one file in it, as in most buckets that have been mounted once.
	byClient origin = "client"
	// byMount is a bucket that s3mount filled.
	byMount origin = "mount"
)

// seed describes what a bucket holds before the work of a row begins.
type seed struct {
	files func(params) []seedFile
	// client fills the bucket in place of PUTs of files, if it is not nil.
	client func(context.Context, *bucket) error
	// mount fills the bucket through a mount in place of writes of files, if it is not nil.
	mount func(context.Context, *bucket) error
	// origins are the programs that can fill the bucket.
	origins []origin
}

// seedFile is one file of a seed.
type seedFile struct {
	path string
	size int64
}

// both lists the origins of a seed that can be written by each kind of program.
var both = []origin{byClient, byMount}

// seeds contains the seeds by the names in rows.
var seeds = map[string]seed{
	"1 GiB":        {files: bigFiles(1, gib), origins: both},
	"4 x 256 MiB":  {files: bigFiles(4, gib/4), origins: both[:1]},
	"256 MiB":      {files: bigFiles(1, gib/4), origins: both},
	"128 MiB":      {files: bigFiles(1, gib/8), origins: both[:1]},
	"10 x 64 MiB":  {files: bigFiles(10, 64*mib), origins: both},
	"300 small":    {files: smallFiles("small/f%04d", 300), origins: both},
	"1200 small":   {files: smallFiles("small/f%04d", 1200), origins: both},
	"10000 names":  {files: smallFiles("d/f%05d", 10000), origins: both},
	"100000 names": {client: linkNames("d/f%06d", 100000), origins: both[:1]},
	"tree of 2000": {files: treeFiles(2000, 221), origins: both},
	"tree of 400":  {files: treeFiles(400, 21), origins: both},
	"500 small":    {files: smallFiles("d/f%03d", 500), origins: both},
	"attributes":   {mount: writeAttributes, origins: both[1:]},
}

// fill puts the files of the seed called name into b, as its origin does.
func (b *bucket) fill(ctx context.Context, name string) error {
	s := seeds[name]
	if b.origin == byMount {
		if s.mount != nil {
			return s.mount(ctx, b)
		}
		return b.throughMount(ctx, fmt.Sprintf(`"$BENCH" -work fill %q %g`, name, b.scale))
	}
	put := s.client
	if put == nil {
		put = func(ctx context.Context, b *bucket) error { return b.putFiles(ctx, s.files(b.params)) }
	}
	if err := put(ctx, b); err != nil {
		return err
	}
	return b.throughMount(ctx, "echo attributes > stored; chmod 600 stored")
}

// putFiles uploads files with the S3 client of the tests: small ones by PUT, large ones in parts.
func (b *bucket) putFiles(ctx context.Context, files []seedFile) error {
	var small []string
	for _, f := range files {
		if f.size == smallSize {
			small = append(small, f.path)
		} else if err := upload(ctx, b, f.path, f.size); err != nil {
			return err
		}
	}
	return b.PutMany(ctx, small, func(string) []byte { return make([]byte, smallSize) })
}

// throughMount runs a script in a mount of the bucket by s3mount.
func (b *bucket) throughMount(ctx context.Context, script string) error {
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
	at := mountpoint{binary: binary, endpoint: bench.server.Endpoint, bucket: b.Bucket}
	return bench.mountFor(ctx, t, at, work, func(m *mounted) error { return bench.script(ctx, m.dir, script, nil) })
}

// fillDirectory writes the files of a seed below the working directory. The arguments are the
// name of the seed and the scale.
func fillDirectory(args []string) error {
	var p params
	if _, err := fmt.Sscan(args[1], &p.scale); err != nil {
		return fmt.Errorf("read the scale: %w", err)
	}
	files := seeds[args[0]].files(p)
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
			return fmt.Errorf("make the directories of the seed: %w", err)
		}
	}
	return inParallel(16, len(files), func(i int) error {
		if files[i].size == smallSize {
			return os.WriteFile(files[i].path, make([]byte, smallSize), 0o644)
		}
		return writeRandom(files[i].path, files[i].size, uint64(i))
	})
}

// linkNames puts one small object and gives it n names in the server's own directory, because
// 100,000 PUTs take a minute.
func linkNames(format string, n int) func(context.Context, *bucket) error {
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

// writeAttributes lets s3mount write the tree of 2,000 files with modes, owners and times that
// differ from the default ones.
func writeAttributes(ctx context.Context, b *bucket) error {
	tree, err := os.MkdirTemp(b.bench.root, "tree")
	if err != nil {
		return fmt.Errorf("make a directory for the tree: %w", err)
	}
	defer os.RemoveAll(tree)
	for _, path := range treePaths(b.n(2000), 221) {
		f := filepath.Join(tree, path)
		if err := os.MkdirAll(filepath.Dir(f), 0o750); err != nil {
			return fmt.Errorf("make the tree: %w", err)
		}
		if err := os.WriteFile(f, []byte(path), 0o640); err != nil {
			return fmt.Errorf("make the tree: %w", err)
		}
	}
	return b.throughMount(ctx, fmt.Sprintf(`cd %q; find t -exec touch -d 2001-02-03T04:05:06 {} +; cp -rp t "$DIR"`, tree))
}

// bigFiles returns n files big0, big1 and so on of random bytes.
func bigFiles(n int, size int64) func(params) []seedFile {
	return func(p params) (files []seedFile) {
		for i := range n {
			files = append(files, seedFile{fmt.Sprintf("big%d", i), p.size(size)})
		}
		return files
	}
}

func smallFiles(format string, n int) func(params) []seedFile {
	return func(p params) (files []seedFile) {
		for i := range p.n(n) {
			files = append(files, seedFile{fmt.Sprintf(format, i), smallSize})
		}
		return files
	}
}

func treeFiles(n, dirs int) func(params) []seedFile {
	return func(p params) (files []seedFile) {
		for _, path := range treePaths(p.n(n), dirs) {
			files = append(files, seedFile{path, smallSize})
		}
		return files
	}
}

// treePaths returns the paths of files in a tree of dirs directories: t, its children,
// and their children.
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

// withOrigins returns a row for each program that can fill the row's bucket. The row of a bucket
// that s3mount filled has the name of the other one and "-mount".
func withOrigins(r row) (rows []row) {
	if r.data == "" {
		return []row{r}
	}
	origins := seeds[r.data].origins
	for _, o := range origins {
		r.origin = o
		if o == byMount && slices.Contains(origins, byClient) {
			r.name += "-mount"
			r.what = "the same, files written by s3mount"
		}
		rows = append(rows, r)
	}
	return rows
}

// holds returns a check that there are n files under prefix. 0 means that there are none.
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

// holdsBytes returns a check that the files out0, out1 and so on have this size.
func holdsBytes(files, size int64) func(context.Context, *bucket) (bool, error) {
	return func(ctx context.Context, b *bucket) (bool, error) {
		total, err := totalSize(ctx, b, "out")
		return total >= files*b.size(size), err
	}
}

// changed reports whether big0 is no longer the object that the seed put.
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
