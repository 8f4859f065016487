package namespace

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/listing"
)

// Attributes are asked for when somebody looks at a file whose attributes no hint
// tells. A program that looks at the files of a directory one after the other, as
// ls -l does, gets them in parallel: each question that follows the one before asks
// for more of the files behind it.

const (
	// askPause ends a run of questions: a program that looks at the next file later
	// than that does more with each than to look.
	askPause = 2 * time.Second
	// askAlone is how many questions in a row are asked for one file each. A program
	// may look at two neighbours by chance.
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

// Hinted reports whether stat must show the exact attributes of an entry, since a mount
// has stored attributes in its directory. Elsewhere, it shows the defaults. A directory
// of which a listing shows no marker has none, or the index tells of it.
func (n *Namespace) Hinted(e Entry) bool {
	if n.o.Posix == PosixOff || e.Key == n.o.Prefix || e.Kind == Directory && e.Implicit {
		return false
	}
	dir, rel := n.keys.RowOf(e)
	if rel == "" {
		return false
	}
	return n.o.Posix == PosixFull || n.index.Hints(dir)
}

// Attributes returns an entry with the attributes of its object, and learns those of
// the files behind it if they are likely to be looked at.
func (n *Namespace) Attributes(ctx context.Context, e Entry) (Entry, error) {
	dir, rel := n.keys.RowOf(e)
	if e.Exact || n.o.Posix == PosixOff || e.Kind == Directory || rel == "" {
		return n.Confirm(ctx, e)
	}
	if known, err := n.awaitAsk(ctx, dir, rel); err != nil || known.Exact {
		return known, err
	}
	lines, done := n.beginAsk(dir, rel)
	defer close(done)
	if len(lines) > 0 {
		lines = n.uncovered(ctx, dir, lines)
	}
	var got Entry
	ask := []func(context.Context) error{func(ctx context.Context) (err error) {
		got, err = n.Stat(ctx, e)
		return err
	}}
	asked := make([]*line, len(lines))
	for i := range lines {
		asked[i] = &lines[i]
		ask = append(ask, func(ctx context.Context) error {
			_ = n.askLine(ctx, asked[i]) // who looks at that file gets the error
			return nil
		})
	}
	err := background.Each(ctx, n.o.Connections, ask, func(ctx context.Context, f func(context.Context) error) error { return f(ctx) })
	if err != nil {
		return Entry{}, err
	}
	n.remember(dir, append(asked, &line{rel: rel, entry: got}))
	return got, nil
}

// awaitAsk waits for a question that is under way for a row, and returns the entry if
// that told its attributes.
func (n *Namespace) awaitAsk(ctx context.Context, dir, rel string) (Entry, error) {
	n.mu.Lock()
	run := n.asking[dir]
	n.mu.Unlock()
	if run == nil || rel < run.from || rel > run.to {
		return Entry{}, nil
	}
	select {
	case <-run.done:
	case <-ctx.Done():
		return Entry{}, fmt.Errorf("wait for attributes: %w", context.Cause(ctx))
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if e, k := n.find(dir, rel); k == listing.Present {
		return e, nil
	}
	return Entry{}, nil
}

// beginAsk begins a question for a row, and returns the rows behind it that are to be
// asked with it. The caller closes done when they are answered.
func (n *Namespace) beginAsk(dir, rel string) (behind []line, done chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.asking[dir]
	run := &askRun{from: rel, to: rel, size: 1, count: 1, when: time.Now(), done: make(chan struct{})}
	if old != nil && run.when.Sub(old.when) < askPause && n.known.NextUnknown(dir, old.to) == rel {
		run.count, run.size = old.count+1, old.size
		if run.count > askAlone {
			run.size = min(run.size*askGrowth, askMost)
		}
	}
	if run.size > 1 {
		for _, r := range n.known.UnknownAfter(dir, rel, run.size-1) {
			behind = append(behind, line{rel: r.Rel, entry: r.Entry})
			run.to = r.Rel
		}
	}
	if len(n.asking) >= maxAskRuns {
		clear(n.asking)
	}
	n.asking[dir] = run
	return behind, run.done
}

// uncovered returns the rows that no hint tells the attributes of.
func (n *Namespace) uncovered(ctx context.Context, dir string, lines []line) []line {
	x, err := n.index.Table(ctx, dir, time.Time{})
	if err != nil {
		return nil
	}
	n.cover(dir, x, lines)
	return slices.DeleteFunc(lines, func(ln line) bool { return ln.known() })
}
