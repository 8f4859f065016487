package namespace

import (
	"context"
	"fmt"

	"github.com/s3mount/s3mount/fs/entry"
)

// Appeared asks whether a file has come to be under a name that was seen to be
// absent: for open(2) with O_CREAT, which must not make a new file in place of
// what another mount has closed. It costs a HEAD, unless S3 has told of the name
// within the last second, or this mount has just removed it.
func (n *Namespace) Appeared(ctx context.Context, dir Entry, text string) (bool, error) {
	nm := n.resolve(dir, text)
	if !nm.file() || n.justAbsent(nm) {
		return false, nil
	}
	e, err := n.head(ctx, nm.key(), false)
	switch {
	case isAbsent(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("look whether %q is still absent: %w", nm.key(), err)
	}
	return e.Kind != Directory, nil // the marker is no file
}

// justAbsent reports whether a file was absent within the time in which the
// parts of one operation of a program agree.
func (n *Namespace) justAbsent(nm name) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	id := entry.RowID(nm.dir, nm.rel)
	if n.hidden[id] != nil {
		return true
	}
	return n.known.JustAbsent(nm.dir, nm.rel)
}
