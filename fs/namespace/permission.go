package namespace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// permission knows where S3 lets this mount delete objects. It asks S3 by the delete of a
// key that does not exist.
type permission struct {
	*bucket

	mu       lockorder.Mutex[lockorder.Permission]
	anywhere bool
	dirs     map[string]struct{} // prefixes of directories
}

const (
	// maxProven bounds the directories that a permission remembers: 1 MB.
	maxProven = 10_000
	// reservedName begins the names of keys that do not exist and are only asked for.
	reservedName = ".s3mount-"
)

// toDelete returns an error if S3 does not let this mount delete keys beside key. A
// rename that could delete neither the old name nor its own copy would leave both. It
// asks only before the first delete of a mount.
func (p *permission) toDelete(ctx context.Context, key string) error {
	if p.isProven() || p.o.Journaled {
		return nil
	}
	return p.probe(ctx, key)
}

// toReplace returns an error if S3 does not let this mount delete keys beside old. A
// rename of old over another object that could not delete old would have destroyed the
// other one, and cannot be undone. It asks once for each directory in which this mount
// has deleted nothing yet.
func (p *permission) toReplace(ctx context.Context, old string) error {
	if p.isProvenIn(old) {
		return nil
	}
	return p.probe(ctx, old)
}

// probe deletes a key beside key that does not exist. It returns an error if S3 refuses
// that.
func (p *permission) probe(ctx context.Context, key string) error {
	dir, _ := p.keys.SplitFile(key)
	probe := dir + reservedName + rand.Text()
	if len(probe) > s3.MaxKeyLength {
		return nil
	}
	_, err := p.store.Delete(ctx, &s3.DeleteInput{Bucket: p.o.Bucket, Key: probe})
	if errors.Is(err, s3.ErrForbidden) {
		return fmt.Errorf("delete beside %q: %w", key, err)
	}
	return nil // any other error comes again, and is handled, where it matters
}

// prove notes that S3 has let this mount delete something.
func (p *permission) prove() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.anywhere = true
}

// proveIn notes a delete in a directory.
func (p *permission) proveIn(dir string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.anywhere = true
	if p.dirs == nil || len(p.dirs) >= maxProven {
		p.dirs = map[string]struct{}{}
	}
	p.dirs[dir] = struct{}{}
}

// isProven reports whether S3 has let this mount delete anything.
func (p *permission) isProven() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.anywhere
}

// isProvenIn reports whether S3 has let this mount delete in the directory of a key.
func (p *permission) isProvenIn(key string) bool {
	dir, _ := p.keys.SplitFile(key)
	p.mu.Lock()
	defer p.mu.Unlock()
	_, ok := p.dirs[dir]
	return ok
}
