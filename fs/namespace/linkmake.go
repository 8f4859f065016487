package namespace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// LinkOutput tells what a Link has made.
type LinkOutput struct {
	Old Entry // of the name that was there
	New Entry // of the name that was made
}

// Link gives a file another name: the object under it is a copy inside S3, and
// both carry the mark of their group. The record of the group comes first, then
// the mark of the old name, then the copy: whatever is missing after a crash,
// each name that exists holds the bytes of the file, and Recover takes from the
// record what has not come about.
//
// The errors are those of link(2): ErrExists, ErrIsDir, ErrTooManyLinks,
// ErrStale if the object is no longer the version of old, and
// errors.ErrUnsupported where there are no hard links.
func (n *Namespace) Link(ctx context.Context, old Entry, dir Entry, text string) (LinkOutput, error) {
	out, err := n.link(ctx, old, dir, text)
	if err != nil {
		return LinkOutput{}, fmt.Errorf("link %q to %q: %w", old.Key, text, err)
	}
	return out, nil
}

func (n *Namespace) link(ctx context.Context, old Entry, dir Entry, text string) (LinkOutput, error) {
	switch {
	case n.o.NoHardLinks || n.o.Posix == PosixOff:
		return LinkOutput{}, errors.ErrUnsupported
	case old.Kind == Directory:
		return LinkOutput{}, ErrIsDir
	}
	key, err := n.linkTarget(ctx, old, dir, text)
	if err != nil {
		return LinkOutput{}, err
	}
	id := rand.Text()
	if old.Link != nil {
		id = old.Link.ID
	} else {
		n.keepLinks(&Links{ID: id, read: n.now()}) // nobody has a record of it
	}
	if err := n.BeginLinks(id); err != nil {
		return LinkOutput{}, err
	}
	out, err := n.linkAs(ctx, id, old, key)
	if err != nil {
		// What was lost on the way may have been done: Recover finds out, if the
		// record cannot be put right at once.
		if n.undoLink(id, old, key) {
			n.EndLinks(id)
		}
		return LinkOutput{}, err
	}
	n.EndLinks(id)
	return out, nil
}

// linkTarget returns the key of the name to be made, which must be free, and
// makes sure that both directories have an index: then no name is taken for a
// file of its own on the word of a listing, even if this mount dies now.
func (n *Namespace) linkTarget(ctx context.Context, old, dir Entry, text string) (string, error) {
	key, err := n.NewFileKey(dir, text)
	if err != nil {
		return "", err
	}
	if err := n.mustBeFree(ctx, dir, text, n.resolve(dir, text)); err != nil {
		return "", err
	}
	if err := n.WaitDeleted(ctx, key); err != nil {
		return "", err
	}
	// A name that was seen to be absent may be taken by now, and few servers
	// hold a condition on the target of a copy.
	if _, err := n.head(ctx, key, false); err == nil {
		return "", ErrExists
	} else if !errors.Is(err, s3.ErrNotFound) {
		return "", err
	}
	for _, k := range []string{old.Key, key} {
		parent, _ := n.fileParts(k)
		if err := n.needIndex(ctx, parent); err != nil {
			return "", err
		}
	}
	return key, nil
}

// linkAs adds key to the names of the group id and makes it.
func (n *Namespace) linkAs(ctx context.Context, id string, old Entry, key string) (LinkOutput, error) {
	g, err := n.editLinks(ctx, id, false, func(keys []string) ([]string, error) {
		for _, k := range []string{old.Key, key} {
			if !slices.Contains(keys, k) {
				keys = append(keys, k)
			}
		}
		if len(keys) > MaxLinks {
			return nil, ErrTooManyLinks
		}
		return keys, nil
	})
	if err != nil {
		return LinkOutput{}, err
	}
	if old.Link == nil {
		if old, err = n.mark(ctx, old, id, len(g.Keys)); err != nil {
			return LinkOutput{}, err
		}
	} else {
		old.Link = old.Link.With(len(g.Keys))
	}
	made, err := n.copyTo(ctx, old, key, true)
	if err != nil {
		return LinkOutput{}, err
	}
	n.Committed(made)
	return LinkOutput{Old: old, New: made}, nil
}

// mark makes the version of an entry the first of a group.
func (n *Namespace) mark(ctx context.Context, e Entry, id string, count int) (Entry, error) {
	e.Link = &Link{ID: id, Gen: 1, Count: count}
	return n.rewrite(ctx, e, func(a Attr) Attr {
		if e.Exact {
			a = e.Attr
		}
		a.Ctime = n.now()
		return a
	})
}

// undoLink takes a name that was not made out of its group and tells whether
// all is as before.
func (n *Namespace) undoLink(id string, old Entry, key string) bool {
	ctx, stop := context.WithTimeout(n.life, time.Minute)
	defer stop()
	if e, err := n.head(ctx, key, false); err == nil && e.Link != nil && e.Link.ID == id {
		return false // made, but for its answer
	} else if err != nil && !errors.Is(err, s3.ErrNotFound) {
		return false
	}
	_, err := n.editLinks(ctx, id, true, func(keys []string) ([]string, error) {
		keys = without(keys, key)
		if old.Link == nil {
			keys = without(keys, old.Key)
		}
		return keys, nil
	})
	return err == nil
}

func without(keys []string, key string) []string {
	return slices.DeleteFunc(keys, func(k string) bool { return k == key })
}

// Unlinked takes a name out of its group: it is about to be deleted, or has
// become a file of its own. The record that comes back has the other names.
func (n *Namespace) Unlinked(ctx context.Context, id, key string) (*Links, error) {
	return n.editLinks(ctx, id, false, func(keys []string) ([]string, error) {
		return without(keys, key), nil
	})
}

// relink gives names of a group other keys: old and new in pairs.
func (n *Namespace) relink(ctx context.Context, id string, to map[string]string) error {
	_, err := n.editLinks(ctx, id, false, func(keys []string) ([]string, error) {
		for i, k := range keys {
			if moved, ok := to[k]; ok {
				keys[i] = moved
			}
		}
		return keys, nil
	})
	return err
}

// Lead makes a name the first of its group: the one that is written.
func (n *Namespace) Lead(ctx context.Context, id, key string) (*Links, error) {
	return n.editLinks(ctx, id, false, func(keys []string) ([]string, error) {
		if !slices.Contains(keys, key) {
			return keys, nil
		}
		return append([]string{key}, without(keys, key)...), nil
	})
}
