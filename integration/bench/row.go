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
	// warm runs on the mount first and is not measured; "" is nothing.
	warm string
	// again mounts anew between warm and the work, with a disk cache that lives on.
	again bool
	// script is the work, run by bash in the mountpoint; $BENCH is this
	// program. A line "note: ..." that it prints stands beside the figures.
	script string
	// bytes is how much the application reads or writes; nil for rows whose
	// cost is in their number of files.
	bytes func(params) int64
	// held tells whether S3 holds what the work has written; nil for work that writes nothing.
	held func(ctx context.Context, b *bucket) (bool, error)
	// journal: the row is measured with --durability=journal, too.
	journal bool
	// options are given to s3mount; no other tool is measured in a row with options.
	options []string
	// raw is the same work by package s3 alone; nil if it has no such form.
	raw func(ctx context.Context, r rawRun) error
}

// rawRun is what the raw form of a row works with.
type rawRun struct {
	*s3.Client
	params
	bucket string
}

// suits tells whether a tool is measured in a row.
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

// bucket is where one row of one tool works.
type bucket struct {
	*harness.Referee
	params
	bench  *bench
	origin origin
	etag   string // the ETag of big0 before the work
}

// params are the sizes of the work. Those of the table are at scale 1.
type params struct {
	scale float64
}

func (p params) n(full int) int { return max(1, int(float64(full)*p.scale)) }

func (p params) size(full int64) int64 { return max(1<<20, int64(float64(full)*p.scale)>>20<<20) }

const (
	gib = 1 << 30
	mib = 1 << 20
)

// sized is a row's bytes: so many files of this size.
func sized(files, full int64) func(params) int64 {
	return func(p params) int64 { return files * p.size(full) }
}

// small is a row's bytes: so many small files.
func small(files int) func(params) int64 {
	return func(p params) int64 { return int64(p.n(files)) * smallSize }
}

// exactly is a row's bytes, whatever the scale.
func exactly(n int64) func(params) int64 { return func(params) int64 { return n } }

// env makes the sizes known to scripts.
func (p params) env() []string {
	return []string{
		fmt.Sprintf("BIG=%d", p.size(gib)), fmt.Sprintf("QUARTER=%d", p.size(gib/4)),
		fmt.Sprintf("N300=%d", p.n(300)), fmt.Sprintf("N1200=%d", p.n(1200)), fmt.Sprintf("N2000=%d", p.n(2000)),
	}
}

// large tells whether the work moves so much that memory and processors bound it.
func (r row) large(p params) bool {
	return r.bytes != nil && r.bytes(p) >= 64*mib || strings.HasSuffix(r.data, "iB")
}

// repeats tells whether a tool's work in a row is measured more than once: where the
// row is large and has a raw form, that and s3mount, which are held to each other. The
// peers are much farther away than what runs differ by.
func (r row) repeats(tool string, p params) bool {
	return r.raw != nil && r.large(p) && !isPeer(tool)
}
