package namespace

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// The attributes of a file that no hint covers are requested when a program looks at
// it. If a program looks at the files of a directory in order, as ls -l does, they are
// requested in parallel: each consecutive question also requests the attributes of more
// files behind the file.

const (
	// askPause ends a run of questions. A program that looks at the next file later
	// does more with each file than to look.
	askPause = 2 * time.Second
	// askAlone is the number of consecutive questions that request a single file. A
	// program may look at two neighbours by chance.
	askAlone = 2
	// askGrowth multiplies the number of files with each question in a row.
	askGrowth = 4
	// askMost bounds it. The latency of eight rounds of requests hides the ninth.
	askMost = 256
	// maxAskRuns bounds the directories with a run.
	maxAskRuns = 1000
)

// askRun is a run of questions in a directory.
type askRun struct {
	from, to string // rows that were asked last
	size     int    // of the last question
	count    int    // questions in a row
	when     time.Time
	done     chan struct{} // closed when the last question is answered
}

// askRuns decides how many files are requested together with a file.
type askRuns struct {
	known *listing.Cache

	mu    lockorder.Mutex[lockorder.Asks]
	byDir map[string]*askRun
}

// wait waits for a question in progress about a row. It reports whether there was one.
func (r *askRuns) wait(ctx context.Context, dir, rel string) (bool, error) {
	r.mu.Lock()
	run := r.byDir[dir]
	r.mu.Unlock()
	if run == nil || rel < run.from || rel > run.to {
		return false, nil
	}
	select {
	case <-run.done:
		return true, nil
	case <-ctx.Done():
		return false, fmt.Errorf("wait for attributes: %w", context.Cause(ctx))
	}
}

// begin begins a question for a row, and returns the rows behind it that are to be
// asked with it. The caller closes done when they are answered.
func (r *askRuns) begin(dir, rel string) (behind []line, done chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	old := r.byDir[dir]
	run := &askRun{from: rel, to: rel, size: 1, count: 1, when: time.Now(), done: make(chan struct{})}
	if old != nil && run.when.Sub(old.when) < askPause && r.known.NextUnknown(dir, old.to) == rel {
		run.count, run.size = old.count+1, old.size
		if run.count > askAlone {
			run.size = min(run.size*askGrowth, askMost)
		}
	}
	if run.size > 1 {
		for _, row := range r.known.UnknownAfter(dir, rel, run.size-1) {
			behind = append(behind, line{rel: row.Rel, entry: row.Entry})
			run.to = row.Rel
		}
	}
	if len(r.byDir) >= maxAskRuns {
		clear(r.byDir)
	}
	r.byDir[dir] = run
	return behind, run.done
}

// Hinted reports whether stat must show the exact attributes of an entry, because a
// mount has stored attributes in its directory. In other directories stat shows the
// defaults. A directory without a marker in a listing has the default attributes, or
// the index contains its attributes.
func (a *attributes) Hinted(e entry.Entry) bool {
	if a.o.Posix == PosixOff || e.Key == a.o.Prefix || e.Kind == entry.Directory && e.Implicit {
		return false
	}
	dir, rel := a.keys.RowOf(e)
	if rel == "" {
		return false
	}
	return a.o.Posix == PosixFull || a.view.index.Hints(dir)
}

// Attributes returns an entry with the attributes of its object. It also requests the
// attributes of the next files if a program is likely to look at them.
func (a *attributes) Attributes(ctx context.Context, e entry.Entry) (entry.Entry, error) {
	dir, rel := a.keys.RowOf(e)
	if e.Exact || a.o.Posix == PosixOff || e.Kind == entry.Directory || rel == "" {
		return a.Confirm(ctx, e)
	}
	if asked, err := a.asks.wait(ctx, dir, rel); err != nil {
		return entry.Entry{}, err
	} else if asked {
		if known, k := a.view.find(dir, rel); k == listing.Present && known.Exact {
			return known, nil
		}
	}
	lines, done := a.asks.begin(dir, rel)
	defer close(done)
	if len(lines) > 0 {
		lines = a.uncovered(ctx, dir, lines)
	}
	var got entry.Entry
	ask := []func(context.Context) error{func(ctx context.Context) (err error) {
		got, err = a.objects.stat(ctx, e)
		return err
	}}
	asked := make([]*line, len(lines))
	for i := range lines {
		asked[i] = &lines[i]
		ask = append(ask, func(ctx context.Context) error {
			_ = a.askLine(ctx, asked[i]) // a later question about this file returns the error
			return nil
		})
	}
	err := background.Each(ctx, a.o.Connections, ask, func(ctx context.Context, f func(context.Context) error) error { return f(ctx) })
	if err != nil {
		return entry.Entry{}, err
	}
	a.remember(dir, append(asked, &line{rel: rel, entry: got}))
	return got, nil
}

// uncovered returns the rows whose attributes no hint contains.
func (a *attributes) uncovered(ctx context.Context, dir string, lines []line) []line {
	x, err := a.view.index.Table(ctx, dir, time.Time{})
	if err != nil {
		return nil
	}
	a.cover(dir, x, lines)
	return slices.DeleteFunc(lines, func(ln line) bool { return ln.known() })
}
