package namespace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// undoTime is how long the removal of a copy may take after a rename was refused.
const undoTime = time.Minute

// mayDelete returns an error if S3 does not let this mount delete keys beside key. A
// rename that could delete neither the old name nor its own copy would leave both. It
// asks only before the first delete of a mount, by the delete of a key that does not
// exist.
func (n *Namespace) mayDelete(ctx context.Context, key string) error {
	n.mu.Lock()
	known := n.deletes.proven.anywhere || n.o.Journaled
	n.mu.Unlock()
	if known {
		return nil
	}
	return n.probeDelete(ctx, key)
}

// mayReplace returns an error if S3 does not let this mount delete keys beside old. A
// rename of old over another object that could not delete old would have destroyed the
// other one, and cannot be undone. It asks once for each directory in which this mount
// has deleted nothing yet.
func (n *Namespace) mayReplace(ctx context.Context, old string) error {
	if n.deletesIn(old) {
		return nil
	}
	return n.probeDelete(ctx, old)
}

// probeDelete deletes a key beside key that does not exist. It returns an error if S3
// refuses that.
func (n *Namespace) probeDelete(ctx context.Context, key string) error {
	dir, _ := n.keys.SplitFile(key)
	probe := dir + reservedName + rand.Text()
	if len(probe) > s3.MaxKeyLength {
		return nil
	}
	_, err := n.store.Delete(ctx, &s3.DeleteInput{Bucket: n.o.Bucket, Key: probe})
	if errors.Is(err, s3.ErrForbidden) {
		return fmt.Errorf("delete beside %q: %w", key, err)
	}
	return nil // any other error comes again, and is handled, where it matters
}

// proven remembers where S3 has let this mount delete objects. The lock of the
// namespace guards it.
type proven struct {
	anywhere bool
	dirs     map[string]struct{} // prefixes of directories
}

// maxProven bounds the directories that proven remembers: 1 MB.
const maxProven = 10_000

// in notes a delete in a directory.
func (p *proven) in(dir string) {
	p.anywhere = true
	if p.dirs == nil || len(p.dirs) >= maxProven {
		p.dirs = map[string]struct{}{}
	}
	p.dirs[dir] = struct{}{}
}

// deletesIn reports whether S3 has let this mount delete in the directory of a key.
func (n *Namespace) deletesIn(key string) bool {
	dir, _ := n.keys.SplitFile(key)
	n.mu.Lock()
	defer n.mu.Unlock()
	_, ok := n.deletes.proven.dirs[dir]
	return ok
}

// reservedName begins the names of keys that do not exist and are only asked for.
const reservedName = ".s3mount-"

// proveDeletes notes that S3 lets this mount delete, if it has deleted something.
func (n *Namespace) proveDeletes(some bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deletes.proven.anywhere = n.deletes.proven.anywhere || some
}

// undoCopy removes the copy that a rename has made, in exactly that version, after S3
// has refused to delete the old name.
func (n *Namespace) undoCopy(e Entry) {
	ctx, stop := context.WithTimeout(n.jobs.Context(), undoTime)
	defer stop()
	for _, err := range n.deleteObjects(ctx, []s3.ObjectID{{Key: e.Key, ETag: e.ETag}}) {
		n.o.Logger.Warn("the copy of a rename that was refused is left behind", "key", e.Key, "err", err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.forget(e)
}
