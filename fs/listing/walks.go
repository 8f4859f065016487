package listing

import (
	"time"
	"unsafe"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
)

// hint remembers how a directory was used lately.
type hint struct {
	listed    time.Time // when a Reader began to read it
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
	// lookupsToList is the number of lookups in one directory with a request each after
	// which a LIST is sent instead. A LIST costs 12 times as much as a HEAD and saves
	// up to a thousand.
	lookupsToList = 2
	// lookupsGrowth multiplies the threshold after each listing that does not answer
	// the lookups after it.
	lookupsGrowth = 4
	// lookupsToListMax bounds the threshold.
	lookupsToListMax = 1024
)

// Walks recognises how programs go through the directories: whether they read a whole
// tree, and whether they look up many names of one directory.
type Walks struct {
	root entry.Root

	mu    lockorder.Mutex[lockorder.Walks]
	hints *cache.Metadata[hint] // by directory
}

// NewWalks returns Walks that know nothing yet.
func NewWalks(root entry.Root) *Walks {
	return &Walks{root: root, hints: cache.NewMetadata(hintsLimit, hintCost)}
}

// Forget drops all hints.
func (w *Walks) Forget() { w.hints.Purge() }

// Read notes that a program begins to read a directory.
func (w *Walks) Read(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.noteListed(dir)
}

// Top returns the topmost directory of the walk that reads a directory now. It notes
// that the walk goes on.
func (w *Walks) Top(dir string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	top := w.climb(dir, func(h hint) time.Time { return h.listed })
	for d := dir; d != top; {
		d, _ = w.root.Split(d)
		w.noteListed(d)
	}
	return top
}

// Miss notes that a lookup in a directory needs a request. list says whether a LIST is
// better than a HEAD, and then top is the topmost directory of the lookups. whole says
// that the directory itself may fit into one page.
func (w *Walks) Miss(dir string) (top string, list, whole bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	top = w.climb(dir, func(h hint) time.Time { return h.missed })
	h, list := w.countMiss(dir, top != dir)
	return top, list, top == dir && !h.large
}

// SetLarge notes that a directory does not fit into one page.
func (w *Walks) SetLarge(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hintOf(dir)
	h.large = true
	w.setHint(dir, h)
}

// hintOf returns the hint of a directory as of now.
func (w *Walks) hintOf(dir string) hint {
	k, _ := w.hints.Get(dir)
	return k.Value
}

func hintCost(string, hint) int64 { return int64(unsafe.Sizeof(hint{})) }

func (w *Walks) setHint(dir string, h hint) {
	w.hints.Put(dir, h, time.Now().Add(walkWindow))
}

// climb returns the topmost directory above dir that was used within
// walkWindow, together with all between. w.mu is held.
func (w *Walks) climb(dir string, used func(hint) time.Time) string {
	for dir != string(w.root) {
		parent, _ := w.root.Split(dir)
		if time.Since(used(w.hintOf(parent))) > walkWindow {
			break
		}
		dir = parent
	}
	return dir
}

// noteListed remembers that a Reader reads a directory.
func (w *Walks) noteListed(dir string) {
	h := w.hintOf(dir)
	h.listed = time.Now()
	w.setHint(dir, h)
}

// countMiss notes that a lookup in dir needs a request, and reports whether that
// is better a LIST: on the way down a tree at once, in one directory from the
// second lookup on, and ever more rarely if that does not help. w.mu is held.
func (w *Walks) countMiss(dir string, deep bool) (hint, bool) {
	h := w.hintOf(dir)
	now := time.Now()
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
	w.setHint(dir, h)
	return h, list
}

// Hit notes that a listing has answered a lookup. More listings are then worth their
// price.
func (w *Walks) Hit(dir string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	h := w.hintOf(dir)
	if h.threshold > lookupsToList {
		h.threshold = max(h.threshold/2, lookupsToList)
		w.setHint(dir, h)
	}
}
