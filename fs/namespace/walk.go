package namespace

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
)

// hint remembers how a directory was used lately.
type hint struct {
	listed    time.Time // when a Lister began to read it
	missed    time.Time // when a lookup in it last needed a request
	misses    int       // such lookups since the last listing for their sake
	threshold int       // so many of them cause the next listing
	large     bool      // it does not fit in one page
}

const (
	// hintsLimit holds the hints of some 20,000 directories: more are not
	// walked within walkWindow.
	hintsLimit = 5 << 20
	// walkWindow is how long after a directory was read its subdirectories
	// count as parts of the same walk.
	walkWindow = 10 * time.Second
	// lookupsToList is how many lookups of one directory, each with a request
	// of its own, make it worth a LIST: that costs 12 times a HEAD and spares
	// up to a thousand.
	lookupsToList = 2
	// lookupsToListMax bounds the growth of the threshold where listings do not help.
	lookupsToListMax = 1024
)

// hintOf returns the hint of a directory as of now.
func (n *Namespace) hintOf(dir string) hint {
	k, _ := n.hints.Get(dir)
	return k.Value
}

func (n *Namespace) setHint(dir string, h hint) {
	n.hints.Put(dir, h, n.now().Add(walkWindow))
}

// before returns a position right before a key in the order of keys, as far as
// a valid start-after can be.
func before(key string) string {
	r, size := utf8.DecodeLastRuneInString(key)
	stem := key[:len(key)-size]
	switch {
	case key == "" || r == utf8.RuneError && size <= 1, r == 0:
		return stem
	case r == 0xE000:
		r = 0xD800 // the surrogates between are no characters
	}
	return stem + string(r-1) + highest
}

// walk recognises that a directory is read as part of a tree walk: its parent
// was read shortly before. Then it lists everything from this directory on,
// across directories, below the topmost directory of the walk, and reports
// true. The directories that follow are then answered from the cache.
func (n *Namespace) walk(ctx context.Context, dir string) (bool, error) {
	n.mu.Lock()
	h := n.hintOf(dir)
	h.listed = n.now()
	n.setHint(dir, h)
	top := dir
	for top != n.o.Prefix {
		parent, _ := n.split(top)
		if n.now().Sub(n.hintOf(parent).listed) > walkWindow {
			break
		}
		top = parent
	}
	n.mu.Unlock()
	if top == dir {
		return false, nil
	}
	_, err := n.fetch(ctx, stretch{dir: top, from: before(dir)})
	return true, err
}

// noteListed remembers that a Lister reads a directory, for walk.
func (n *Namespace) noteListed(dir string) {
	h := n.hintOf(dir)
	h.listed = n.now()
	n.setHint(dir, h)
}

// lookupByListing answers a lookup by a LIST if enough lookups in this
// directory, or on the way down to it, needed requests of their own. It
// reports whether the name is known now.
func (n *Namespace) lookupByListing(ctx context.Context, nm name) (bool, error) {
	n.mu.Lock()
	h := n.hintOf(nm.dir)
	now := n.now()
	if now.Sub(h.missed) > walkWindow {
		h.misses = 0
	}
	if h.threshold == 0 {
		h.threshold = lookupsToList
	}
	parent, _ := n.split(nm.dir)
	deep := nm.dir != n.o.Prefix && now.Sub(n.hintOf(parent).missed) < walkWindow
	h.misses++
	h.missed = now
	list := h.misses >= h.threshold || deep && h.misses == 1 && h.threshold == lookupsToList
	if list {
		h.misses = 0
		h.threshold = min(h.threshold*4, lookupsToListMax)
	}
	n.setHint(nm.dir, h)
	n.mu.Unlock()
	if !list {
		return false, nil
	}
	if !h.large {
		got, err := n.fetch(ctx, stretch{dir: nm.dir})
		if err != nil {
			return false, err
		}
		n.mu.Lock()
		h := n.hintOf(nm.dir)
		h.large = got.NextToken != ""
		n.setHint(nm.dir, h)
		n.mu.Unlock()
		if _, k := n.lookupKnown(nm); k != unknown || !h.large {
			return k != unknown, nil
		}
	}
	if _, err := n.fetch(ctx, stretch{dir: nm.dir, from: before(nm.key())}); err != nil {
		return false, err
	}
	_, k := n.lookupKnown(nm)
	return k != unknown, nil
}

// lookupHit tells that a lookup was answered by a listing: more are worth it.
func (n *Namespace) lookupHit(dir string) {
	h := n.hintOf(dir)
	if h.threshold > lookupsToList {
		h.threshold = max(h.threshold/2, lookupsToList)
		n.setHint(dir, h)
	}
}

// below reports whether dir is a directory below top, or top itself.
func below(dir, top string) bool { return strings.HasPrefix(dir, top) }
