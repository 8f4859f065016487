package namespace

import (
	"slices"
	"strings"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// Pending is a file that exists in this mount and not yet in S3. Its methods
// are called without locks.
type Pending interface {
	// PendingEntry returns the present state of the file.
	PendingEntry() entry.Entry
}

// pendingFiles are the files that exist in this mount and not yet in S3.
type pendingFiles struct {
	mu    lockorder.Mutex[lockorder.Pending]
	byDir map[string]map[string]Pending // by directory, by rel
}

func newPendingFiles() *pendingFiles { return &pendingFiles{byDir: map[string]map[string]Pending{}} }

// add shows a file in a row. It takes the place of another file that is shown there.
func (f *pendingFiles) add(dir, rel string, p Pending) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDir[dir] == nil {
		f.byDir[dir] = map[string]Pending{}
	}
	f.byDir[dir][rel] = p
}

// drop ends add, and reports whether p was shown. Another file in the row stays.
func (f *pendingFiles) drop(dir, rel string, p Pending) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.byDir[dir][rel] != p {
		return false
	}
	delete(f.byDir[dir], rel)
	if len(f.byDir[dir]) == 0 {
		delete(f.byDir, dir)
	}
	return true
}

// get returns the file that is shown in a row, or nil.
func (f *pendingFiles) get(dir, rel string) Pending {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.byDir[dir][rel]
}

// below reports whether a directory has a pending file at any depth.
func (f *pendingFiles) below(prefix string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for dir := range f.byDir {
		if strings.HasPrefix(dir, prefix) {
			return true
		}
	}
	return false
}

// lines returns the files of a directory that lie in the stretch of a chunk.
func (f *pendingFiles) lines(dir string, c *listing.Chunk) []line {
	f.mu.Lock()
	defer f.mu.Unlock()
	var out []line
	for rel, p := range f.byDir[dir] {
		if (rel > c.After.Rel || rel == "" && !c.After.Begun) && (c.All || rel <= c.Upto) {
			out = append(out, line{rel: rel, stat: p.PendingEntry})
		}
	}
	return out
}

// merge adds the files of a directory that lie in the stretch of a chunk to its lines.
func (f *pendingFiles) merge(lines []line, dir string, c *listing.Chunk) []line {
	pending := f.lines(dir, c)
	if len(pending) == 0 {
		return lines
	}
	lines = append(lines, pending...)
	slices.SortStableFunc(lines, func(a, b line) int { return strings.Compare(a.rel, b.rel) })
	out := lines[:0]
	for _, ln := range lines {
		if k := len(out); k > 0 && out[k-1].rel == ln.rel {
			out[k-1] = ln // the sort is stable, so the pending file comes last
			continue
		}
		out = append(out, ln)
	}
	return out
}

// AddPending shows a file under a key. It takes the place of another file that is shown
// there.
func (v *view) AddPending(key string, p Pending) {
	dir, rel := v.keys.SplitFile(key)
	v.pending.add(dir, rel, p)
}

// DropPending ends AddPending: the file is in S3 now, or gone. It reports whether the file
// was shown. Another file under the key stays.
func (v *view) DropPending(key string, p Pending) bool {
	dir, rel := v.keys.SplitFile(key)
	return v.pending.drop(dir, rel, p)
}
