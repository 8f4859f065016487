package namespace

import (
	"slices"
	"strings"
)

// Pending is a file that exists in this mount and not yet in S3. Its methods
// are called without locks.
type Pending interface {
	// PendingEntry returns the present state of the file.
	PendingEntry() Entry
}

// AddPending shows a file under a key. It takes the place of another file that
// is shown there.
func (n *Namespace) AddPending(key string, p Pending) {
	dir, rel := n.keys.SplitFile(key)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending[dir] == nil {
		n.pending[dir] = map[string]Pending{}
	}
	n.pending[dir][rel] = p
}

// DropPending ends AddPending: the file is in S3 now, or gone. It reports
// whether the file was shown. Another file under the key stays.
func (n *Namespace) DropPending(key string, p Pending) bool {
	dir, rel := n.keys.SplitFile(key)
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.pending[dir][rel] != p {
		return false
	}
	delete(n.pending[dir], rel)
	if len(n.pending[dir]) == 0 {
		delete(n.pending, dir)
	}
	return true
}

// pendingIn reports whether a directory has a pending file at any depth. n.mu is held.
func (n *Namespace) pendingIn(prefix string) bool {
	for dir := range n.pending {
		if strings.HasPrefix(dir, prefix) {
			return true
		}
	}
	return false
}

// mergePending puts the pending files between two rows of a directory into
// its lines. n.mu is held.
func (n *Namespace) mergePending(lines []line, base, after, upto string, begun, all bool) []line {
	added := false
	for rel, p := range n.pending[base] {
		if (rel > after || rel == "" && !begun) && (all || rel <= upto) {
			lines = append(lines, line{rel: rel, stat: p.PendingEntry})
			added = true
		}
	}
	if !added {
		return lines
	}
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.rel, b.rel) })
	out := lines[:0]
	for _, ln := range lines {
		if k := len(out); k > 0 && out[k-1].rel == ln.rel {
			out[k-1] = ln // sorted stably: the pending one comes last
			continue
		}
		out = append(out, ln)
	}
	return out
}
