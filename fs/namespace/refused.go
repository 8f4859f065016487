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
	known := n.deletes.proven || n.o.Journaled
	n.mu.Unlock()
	dir, _ := n.keys.SplitFile(key)
	probe := dir + reservedName + rand.Text()
	if known || len(probe) > s3.MaxKeyLength {
		return nil
	}
	_, err := n.store.Delete(ctx, &s3.DeleteInput{Bucket: n.o.Bucket, Key: probe})
	if errors.Is(err, s3.ErrForbidden) {
		return fmt.Errorf("delete beside %q: %w", key, err)
	}
	return nil // any other error comes again, and is handled, where it matters
}

// reservedName begins the names of keys that do not exist and are only asked for.
const reservedName = ".s3mount-"

// proveDeletes notes that S3 lets this mount delete, if it has deleted something.
func (n *Namespace) proveDeletes(some bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.deletes.proven = n.deletes.proven || some
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
