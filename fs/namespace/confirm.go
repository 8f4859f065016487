package namespace

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// Confirm returns an entry with the attributes of its object. It makes no request
// if they are known, and otherwise one HEAD. A directory without a marker has the
// default attributes by definition: Confirm returns them as exact.
func (n *Namespace) Confirm(ctx context.Context, e Entry) (Entry, error) {
	_, stem := n.keys.Stem(e)
	switch {
	case e.Exact:
		return e, nil
	case e.Kind != Directory:
		return n.Stat(ctx, e)
	case e.Key == n.o.Prefix, stem != "", n.o.Posix == PosixOff:
		e.Exact = true // the options say what its attributes are
		return e, nil
	}
	if known, ok := n.known.Directory(e.Key); ok {
		return known, nil
	}
	if marker, until, ok := n.known.Marker(e.Key); ok {
		if marker.Implicit {
			return n.known.NoteNoMarker(e.Key, until), nil
		}
		if x, err := n.index.Table(ctx, n.parentOf(e.Key), time.Time{}); err == nil && x != nil {
			_, rel := n.keys.Split(e.Key)
			if exact, _ := n.index.Complete(x, rel, &marker); exact {
				n.Observe(marker)
				return marker, nil
			}
		}
	}
	got, err := n.head(ctx, e.Key, true)
	if errors.Is(err, s3.ErrNotFound) {
		return n.known.NoteNoMarker(e.Key, time.Now().Add(n.o.TTL)), nil
	}
	return got, err
}

func (n *Namespace) parentOf(key string) string {
	dir, _ := n.keys.Split(key)
	return dir
}
