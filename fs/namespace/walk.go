package namespace

import (
	"context"
	"strings"
	"time"
	"unicode/utf8"
	"unsafe"
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
	// count as parts of the same walk: copying a large file may come between.
	// A mistake costs nothing, as one LIST is made in either case.
	walkWindow = time.Minute
	// lookupsToList is how many lookups of one directory, each with a request
	// of its own, make it worth a LIST: that costs 12 times a HEAD and spares
	// up to a thousand.
	lookupsToList = 2
	// lookupsGrowth makes listings of a directory rare that do not answer the
	// lookups after them.
	lookupsGrowth = 4
	// lookupsToListMax bounds the growth of the threshold where listings do not help.
	lookupsToListMax = 1024
)

// hintOf returns the hint of a directory as of now.
func (n *Namespace) hintOf(dir string) hint {
	k, _ := n.hints.Get(dir)
	return k.Value
}

func hintCost(string, hint) int64 { return int64(unsafe.Sizeof(hint{})) }

func (n *Namespace) setHint(dir string, h hint) {
	n.hints.Put(dir, h, n.now().Add(walkWindow))
}

// before returns a position right before a key in the order of keys, as far as
// a valid start-after can be. It is never the key of a directory: a listing from
// there would not tell whether the directory has a marker.
func before(key string) string {
	r, size := utf8.DecodeLastRuneInString(key)
	stem := key[:len(key)-size]
	switch {
	case key == "" || r == utf8.RuneError && size <= 1, r == 0:
		if strings.HasSuffix(stem, "/") {
			return before(stem)
		}
		return stem
	case r == 0xE000:
		r = 0xD800 // the surrogates between are no characters
	}
	return stem + string(r-1) + highest
}

// walk recognises that a directory is read as part of a tree walk: its parent
// was read shortly before. Then it lists everything from this directory on, or
// from the key where an earlier such listing stopped, below the topmost
// directory of the walk, and reports true. The directories that follow are
// then answered from the cache.
func (n *Namespace) walk(ctx context.Context, dir, next string) (listing, bool, error) {
	if n.o.TTL < minTrust {
		return listing{}, false, nil // nothing is kept for the directories that follow
	}
	n.mu.Lock()
	top := n.climb(dir, func(h hint) time.Time { return h.listed })
	for d := dir; d != top; { // the walk goes on
		d, _ = n.keys.Split(d)
		n.noteListed(d)
	}
	n.mu.Unlock()
	if top == dir && next == "" {
		return listing{}, false, nil
	}
	if next == "" {
		next = before(dir)
	}
	got, err := n.fetch(ctx, stretch{dir: top, from: next})
	if err == nil {
		n.prefetchIndexes(got.pages)
	}
	return got, true, err
}

// climb returns the topmost directory above dir that was used within
// walkWindow, together with all between. n.mu is held.
func (n *Namespace) climb(dir string, used func(hint) time.Time) string {
	for dir != n.o.Prefix {
		parent, _ := n.keys.Split(dir)
		if n.now().Sub(used(n.hintOf(parent))) > walkWindow {
			break
		}
		dir = parent
	}
	return dir
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
	if n.o.TTL < minTrust {
		return false, nil
	}
	n.mu.Lock()
	top := n.climb(nm.dir, func(h hint) time.Time { return h.missed })
	coming, comes := n.comingFor(nm.key())
	if comes {
		n.mu.Unlock()
		if _, err := n.fetch(ctx, coming); err != nil {
			return false, err
		}
		if _, k := n.lookupKnown(nm); k != unknown {
			return true, nil
		}
		n.mu.Lock()
	}
	h, list := n.countMiss(nm.dir, top != nm.dir)
	n.mu.Unlock()
	if !list {
		return false, nil
	}
	if top == nm.dir && !h.large {
		got, err := n.fetch(ctx, stretch{dir: nm.dir})
		if err != nil {
			return false, err
		}
		if got.token != "" {
			n.mu.Lock()
			h := n.hintOf(nm.dir)
			h.large = true
			n.setHint(nm.dir, h)
			n.mu.Unlock()
		}
		if _, k := n.lookupKnown(nm); k != unknown {
			return true, nil
		}
	}
	if _, err := n.fetch(ctx, stretch{dir: top, from: before(nm.key())}); err != nil {
		return false, err
	}
	_, k := n.lookupKnown(nm)
	return k != unknown, nil
}

// comingFor returns the LIST across directories under way that will most likely tell
// of a key: of all that begin before the key, the one that begins last. n.mu is held.
func (n *Namespace) comingFor(key string) (s stretch, ok bool) {
	for f := range n.flights {
		tells := !f.delimited && f.max == 0 && strings.HasPrefix(key, f.dir) && f.from <= key
		if tells && (!ok || f.from > s.from) {
			s, ok = f, true
		}
	}
	return s, ok
}

// countMiss notes that a lookup in dir needs a request, and tells whether that
// is better a LIST: on the way down a tree at once, in one directory from the
// second lookup on, and ever more rarely if that does not help. n.mu is held.
func (n *Namespace) countMiss(dir string, deep bool) (hint, bool) {
	h := n.hintOf(dir)
	now := n.now()
	if now.Sub(h.missed) > walkWindow {
		h = hint{listed: h.listed}
	}
	if h.threshold == 0 {
		h.threshold = lookupsToList
		if deep {
			h.threshold = 1
		}
	}
	h.misses++
	h.missed = now
	list := h.misses >= h.threshold
	if list {
		h.misses = 0
		h.threshold = min(max(h.threshold, lookupsToList)*lookupsGrowth, lookupsToListMax)
	}
	n.setHint(dir, h)
	return h, list
}

// lookupHit tells that a listing answered a lookup: more of them are worth
// their price. n.mu is held.
func (n *Namespace) lookupHit(dir string) {
	h := n.hintOf(dir)
	if h.threshold > lookupsToList {
		h.threshold = max(h.threshold/2, lookupsToList)
		n.setHint(dir, h)
	}
}
