package main

import (
	"context"
	"fmt"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
)

// row is a piece of work.
type row struct {
	name string
	what string
	// data names the seed that puts into the bucket what the work needs; "" is
	// an empty bucket. Rows that write nothing share the bucket of a seed.
	data string
	// warm runs on the mount first and is not measured; "" is nothing.
	warm string
	// script is the work, run by bash in the mountpoint; $BENCH is this program.
	script string
	// held tells whether S3 holds what the work has written; nil for work that writes nothing.
	held func(ctx context.Context, b *bucket) (bool, error)
	// raw is the same work by package s3 alone; nil if it has no such form.
	raw func(ctx context.Context, c *s3.Client, b *bucket) error
}

// bucket is where one row of one tool works.
type bucket struct {
	*harness.Referee
	params
	etag string // of big0 as it was put
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

// env makes the sizes known to scripts.
func (p params) env() []string {
	return []string{
		fmt.Sprintf("BIG=%d", p.size(gib)), fmt.Sprintf("QUARTER=%d", p.size(gib/4)),
		fmt.Sprintf("N300=%d", p.n(300)), fmt.Sprintf("N1200=%d", p.n(1200)), fmt.Sprintf("N2000=%d", p.n(2000)),
	}
}
