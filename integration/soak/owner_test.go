package soak

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// owner is a mutator's part of the bucket, seen by the test: the directory, and
// the state that the recorded history leads to.
type owner struct {
	proxy   *harness.Proxy
	top     string // name of the directory at the root of the mount
	ctl     string
	known   tree     // what all acknowledged operations lead to
	pending []record // the operation whose outcome is unknown, at most one
	past    []string // the last records, for a report
}

// newOwners makes the directories of n mutators.
func newOwners(t *testing.T, w *harness.World, m *harness.Mount, proxy *harness.Proxy, n int) []*owner {
	t.Helper()
	var out []*owner
	for i := range n {
		o := &owner{proxy: proxy, top: fmt.Sprintf("top%d", i), ctl: w.Dir(t, "mutator"), known: tree{}}
		if err := os.Mkdir(m.Path(o.top), 0o755); err != nil {
			t.Fatal(err)
		}
		out = append(out, o)
	}
	return out
}

// start starts a mutator for a round.
func (o *owner) start(t *testing.T, w *harness.World, m *harness.Mount, r *rand.Rand, count int, size string) *harness.Process {
	t.Helper()
	if err := o.known.save(filepath.Join(o.ctl, treeFile)); err != nil {
		t.Fatal(err)
	}
	_ = os.Remove(filepath.Join(o.ctl, historyFile)) // The first round has none.
	cmd := w.OpCommand("mutator", m.Path(o.top), o.ctl, fmt.Sprint(r.Uint64N(1e6)), fmt.Sprint(count), size)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	p, err := harness.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// learn applies the history of a round. After an allowed error the outcome of the
// operation is open. Any other error is a violation.
func (o *owner) learn(t *testing.T, r *row, allowed ...string) {
	t.Helper()
	history, err := readHistory(filepath.Join(o.ctl, historyFile))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	o.pending = nil
	for i, rec := range history {
		o.past = append(o.past[max(0, len(o.past)-200):], rec.String())
		switch {
		case !rec.Done:
			if i == len(history)-1 && rec.Op != opRead { // The process ended in the middle of it.
				o.pending = []record{rec}
			}
		case rec.Wrong != "":
			r.violate(t, "%s: read: %s; history:\n%s", o.top, rec.Wrong, strings.Join(o.past, "\n"))
		case rec.Errno == "":
			r.Operations++
			o.known = o.known.after(rec.operation)
		case !slices.Contains(allowed, rec.Errno):
			r.violate(t, "%s: %s of %s failed with %s; history:\n%s", o.top, rec.Op, rec.Name, rec.Errno, strings.Join(o.past, "\n"))
		case rec.Op != opRead:
			o.pending = []record{rec}
		}
	}
}

// verify compares the mount with the history. The operation whose outcome is
// unknown may have happened or not.
func (o *owner) verify(t *testing.T, r *row, m *harness.Mount) {
	t.Helper()
	candidates := []tree{o.known}
	for _, rec := range o.pending {
		candidates = append(candidates, o.known.between(rec.operation)...)
		candidates = append(candidates, o.known.after(rec.operation))
	}
	names := maps.Clone(candidates[0])
	maps.Copy(names, candidates[len(candidates)-1])
	got, err := snapshot(m.Path(o.top), slices.Sorted(maps.Keys(names)))
	if err != nil {
		r.violate(t, "%s: the tree cannot be read: %v; history:\n%s", o.top, err, strings.Join(o.past, "\n"))
		return
	}
	var all []string
	for _, c := range candidates {
		d := differences(got, c)
		if len(d) == 0 {
			o.known, o.pending = got, nil
			r.Histories++
			return
		}
		all = append(all, strings.Join(d, "\n"))
	}
	r.violate(t, "%s: the tree is none of those that the history allows; the differences are:\n%s\nhistory:\n%s",
		o.top, strings.Join(all, "\nor\n"), strings.Join(o.past, "\n"))
	for _, difference := range strings.Split(strings.Join(all, "\n"), "\n") {
		name, _, _ := strings.Cut(difference, " ")
		for _, key := range []string{o.top + "/" + name, o.top + "/" + name + "/"} {
			t.Logf("the last requests for %s:\n%s", key, strings.Join(o.proxy.Past(key), "\n"))
		}
	}
}
