package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
)

// row is a piece of work.
type row struct {
	name string
	what string
	// data names the seed that fills the bucket. "" means an empty bucket. Rows that write
	// nothing share the bucket of a seed.
	data string
	// origin is the program that fills the bucket. "" means an empty bucket.
	origin origin
	// warm is a script that runs on the mount before the measurement; it may be empty.
	warm string
	// again mounts again between warm and script, with the same disk cache.
	again bool
	// script is the work. bash runs it in the mountpoint, and $BENCH is this program.
	// The text after "note: " in its output is shown in the report.
	script string
	// bytes returns the number of bytes that the application reads or writes. It is nil
	// for rows whose cost depends on the number of files.
	bytes func(params) int64
	// held reports whether S3 has all data of the work. It is nil for work that writes
	// nothing.
	held func(ctx context.Context, b *bucket) (bool, error)
	// journal measures the row with --durability=journal, too.
	journal bool
	// options are additional options of s3mount. Only s3mount is measured in a row with
	// options.
	options []string
	// raw does the same work with package s3. It is nil if there is no such form.
	raw func(ctx context.Context, r rawRun) error
}

// rawRun contains the client, bucket and sizes for raw work.
type rawRun struct {
	*s3.Client
	params
	bucket string
}

// suits reports whether a tool is measured in a row.
func (r row) suits(tool string) bool {
	if r.options != nil {
		return tool == toolOwn
	}
	switch tool {
	case toolRaw:
		return r.raw != nil && r.origin != byMount // the objects are the same
	case toolJournal:
		return r.journal
	}
	return true
}

// bucket is the bucket of one row and one tool.
type bucket struct {
	*harness.Referee
	params
	bench  *bench
	origin origin
	etag   string // the ETag of big0 before the work
}

// params scales the sizes of the work. The sizes in the table are for scale 1.
type params struct {
	scale float64
}

func (p params) n(full int) int { return max(1, int(float64(full)*p.scale)) }

func (p params) size(full int64) int64 { return max(1<<20, int64(float64(full)*p.scale)>>20<<20) }

const (
	gib = 1 << 30
	mib = 1 << 20
)

// sized returns the bytes of a row with large files.
func sized(files, full int64) func(params) int64 {
	return func(p params) int64 { return files * p.size(full) }
}

// small returns the bytes of a row with small files.
func small(files int) func(params) int64 {
	return func(p params) int64 { return int64(p.n(files)) * smallSize }
}

// exactly returns a number of bytes that does not depend on the scale.
func exactly(n int64) func(params) int64 { return func(params) int64 { return n } }

// env returns environment variables with the sizes for scripts.
func (p params) env() []string {
	return []string{
		fmt.Sprintf("BIG=%d", p.size(gib)), fmt.Sprintf("QUARTER=%d", p.size(gib/4)),
		fmt.Sprintf("N300=%d", p.n(300)), fmt.Sprintf("N1200=%d", p.n(1200)), fmt.Sprintf("N2000=%d", p.n(2000)),
	}
}

// large reports whether the work moves so many bytes that memory and processors limit
// its speed.
func (r row) large(p params) bool {
	return r.bytes != nil && r.bytes(p) >= 64*mib || strings.HasSuffix(r.data, "iB")
}

// repeats reports whether a tool is measured several times in a row. This applies to
// raw and s3mount in large rows, whose ratio matters. The differences to peers are much
// larger than the differences between runs.
func (r row) repeats(tool string, p params) bool {
	return r.raw != nil && r.large(p) && !isPeer(tool)
}
