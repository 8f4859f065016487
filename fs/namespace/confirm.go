package namespace

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
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
	if known, ok := n.knownDir(e.Key); ok {
		return known, nil
	}
	if marker, until, ok := n.listedMarker(e.Key); ok {
		if marker.Implicit {
			return n.noteNoMarker(e.Key, until), nil
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
		return n.noteNoMarker(e.Key, n.now().Add(n.o.TTL)), nil
	}
	return got, err
}

func (n *Namespace) parentOf(key string) string {
	dir, _ := n.keys.Split(key)
	return dir
}

// knownDir returns a directory whose attributes a fact tells.
func (n *Namespace) knownDir(key string) (Entry, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f, ok := n.facts.Get(key)
	if !ok || f.Negative || !n.now().Before(f.Until) {
		return Entry{}, false
	}
	e := f.Value.entry()
	e.Key = key
	return e, e.Exact && e.Kind == Directory
}

// listedMarker returns the marker of a directory as a listing of the directory
// itself shows it, without its attributes, and how long the listing is believed.
// The entry is Implicit if there is no marker. ok is false if no listing is known.
func (n *Namespace) listedMarker(key string) (marker Entry, until time.Time, ok bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	p := n.pageOf(key, "")
	if p == nil || p.assumed || !n.now().Before(p.until) {
		return Entry{}, time.Time{}, false
	}
	marker = Entry{Key: key, Kind: Directory, Implicit: true}
	if i, found := p.search(""); found && p.rows[i].size == 0 {
		r := &p.rows[i]
		marker.Implicit, marker.ETag, marker.LastModified = false, p.etag(r), entry.UnpackTime(r.mod)
	}
	marker.Attr = n.defaults.Attr(Directory, marker.LastModified)
	return marker, p.until, true
}

// noteNoMarker remembers for some time that a directory has no marker, and returns
// the directory. If this mount has written a marker meanwhile, it returns that.
func (n *Namespace) noteNoMarker(key string, until time.Time) Entry {
	n.mu.Lock()
	defer n.mu.Unlock()
	if f, ok := n.facts.Get(key); ok && !f.Negative && n.now().Before(f.Until) && f.Value.own {
		e := f.Value.entry()
		e.Key = key
		return e
	}
	e := Entry{Key: key, Kind: Directory, Implicit: true, Exact: true, Attr: n.defaults.Attr(Directory, n.defaults.Started)}
	n.facts.Put(key, newFact(e, false), until)
	return e
}
