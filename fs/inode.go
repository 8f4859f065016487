package fs

import (
	"hash/fnv"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/readahead"
)

// inode is a file or directory that the kernel knows, or that has unsaved data or
// attributes.
type inode struct {
	id   uint64     // the kernel's nodeid, and st_ino
	kind entry.Kind // a name with another kind gets another inode
	born uint32     // serial number of the inode in the table
	// listedBy is the thread that has listed a directory last.
	listedBy atomic.Uint32

	// Guarded by inodes.mu. The order of the fields leaves no gaps.
	pinned   int32  // handles and pending attributes that keep the inode alive
	parent   *inode // nil for the root, and once the name is gone
	name     string
	nlookup  uint64
	children *children // directories only

	taken atomic.Pointer[turns] // nil until a turn is taken

	state
}

// turns order long operations on one file.
type turns struct {
	// commit orders the commits, renames and removals of a file. It is not a mutex,
	// because S3 calls happen during a turn, and a context can end the wait.
	commit turn
	// closing keeps an open for writing apart from letGo of the last writer. It is
	// taken before commit.
	closing turn
}

// turns returns the turns of the inode.
func (n *inode) turns() *turns {
	if t := n.taken.Load(); t != nil {
		return t
	}
	n.taken.CompareAndSwap(nil, &turns{})
	return n.taken.Load()
}

// snapshot returns the entry that the mount shows: the entry of S3 with the unsaved
// changes.
func (n *inode) snapshot() entry.Entry {
	if e, ok := n.peek(); ok {
		return e
	}
	n.lock()
	defer n.unlock()
	return n.snapshotLocked()
}

func (n *inode) snapshotLocked() entry.Entry {
	e := n.Entry()
	if n.file != nil {
		e.Size = n.file.Size()
	}
	return e
}

// isUnwritten reports whether the file was created or truncated and nothing was written
// since.
func (n *inode) isUnwritten() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.file != nil && !n.changed
}

// tell returns the entry for an answer to the kernel.
func (n *inode) tell() entry.Entry {
	if e, ok := n.peek(); ok {
		return e
	}
	n.lock()
	defer n.unlock()
	n.Tell()
	e := n.snapshotLocked()
	if n.listed.After(firstTime(e.Attr.Mtime, e.LastModified)) {
		e.Attr.Mtime = n.listed
	}
	for _, t := range []time.Time{n.listed, n.stamped} {
		if t.After(e.Attr.Ctime) {
			e.Attr.Ctime = t
		}
	}
	return e
}

// relisted records a change of the entries of a directory.
func (n *inode) relisted() {
	n.lock()
	defer n.unlock()
	n.listed = time.Now()
}

func (n *inode) isGhost() bool {
	if !n.isUsed() {
		return false
	}
	n.lock()
	defer n.unlock()
	return n.IsGhost()
}

// versionOf returns the version of an entry for readahead.
func versionOf(e entry.Entry) readahead.Version {
	return readahead.Version{Key: e.Key, ETag: e.ETag, Size: e.Size}
}

// inodes is the table of inodes by nodeid, and the tree of their names.
type inodes struct {
	mu     sync.RWMutex
	byID   map[uint64]*inode
	born   uint32 // number of inodes that were ever created, modulo 2^32
	root   *inode
	reaped func(*inode) // called for each inode that is removed; it must not block
	holds  []*hold      // of directories, while they are renamed

	clock atomic.Uint64 // counts the versions that this mount makes; see ino.Moment

	changed atomic.Int64 // number of inodes with a used state

	limit   int64             // bytes of inodes above which the kernel is asked to forget some
	charge  func(delta int64) // called with changes of the bytes of all inodes; nil if they are not bounded
	charged int64             // bytes that were passed to charge
	crowded chan struct{}     // holds one element when there are too many
}

// rootID is FUSE_ROOT_ID of the kernel (fs/fuse/fuse_i.h).
const rootID = 1

func newInodes(root entry.Entry) *inodes {
	r := &inode{id: rootID, kind: entry.Directory, nlookup: 1}
	t := &inodes{
		byID: map[uint64]*inode{rootID: r},
		root: r, reaped: func(*inode) {},
		crowded: make(chan struct{}, 1),
	}
	r.create(root, &t.changed)
	return t
}

// get returns the inode with a node id. The kernel passes only ids of inodes to which
// it has references.
func (t *inodes) get(id uint64) *inode {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.byID[id]
}

// pinChild returns and pins the inode of a name, or returns nil.
func (t *inodes) pinChild(dir *inode, name string) *inode {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := dir.children.get(name)
	if n != nil {
		n.pinned++
	}
	return n
}

// enter returns the inode of a name and adds a reference of the kernel. It returns an
// existing inode of the same kind unchanged, because it may be open or have unsaved
// data. It returns nil if the directory was renamed since e was looked up.
func (t *inodes) enter(dir *inode, name string, e entry.Entry) *inode {
	t.mu.Lock()
	if !dir.holdsKey(e.Key) {
		t.mu.Unlock()
		return nil
	}
	n := t.known(dir, name, e)
	if n != nil {
		n.nlookup++
		t.mu.Unlock()
		return n
	}
	n = t.add(e)
	n.lookUp(e, &t.changed)
	n.nlookup = 1
	if at := strings.LastIndex(e.Key, name); at >= 0 {
		name = e.Key[at : at+len(name)] // shares the memory of the key
	}
	t.attach(n, dir, name)
	t.adopt(n)
	t.mu.Unlock()
	return n
}

// create creates the inode of a file without an object. An inode that had the name
// before loses it.
func (t *inodes) create(dir *inode, name string, e entry.Entry) *inode {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vacate(dir, name, nil)
	n := t.add(e)
	n.create(e, &t.changed)
	n.nlookup = 1
	t.attach(n, dir, name)
	return n
}

// add puts a new inode without a state into the table. t.mu is held.
func (t *inodes) add(e entry.Entry) *inode {
	t.born++
	n := &inode{id: inodeNumber(e.Key), kind: e.Kind, born: t.born}
	for t.byID[n.id] != nil {
		// Another live inode, renamed away from this key, still has the number.
		n.id = validNumber(n.id*6364136223846793005 + 1442695040888963407)
	}
	t.byID[n.id] = n
	t.counted()
	return n
}

// inodeNumber derives st_ino from the key, so that it is the same again after
// the inode was forgotten, and on the next mount. It is the nodeid as well: an inode
// leaves the table only after the kernel has forgotten it.
func inodeNumber(key string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(key))
	return validNumber(h.Sum64())
}

// validNumber returns a number for an inode: 0 means that there is none, and the root
// has 1.
func validNumber(ino uint64) uint64 {
	if ino <= rootID {
		ino += 2
	}
	return ino
}

// forget drops references of the kernel.
func (t *inodes) forget(id, nlookup uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.byID[id]
	if n == nil || n == t.root {
		return
	}
	n.nlookup -= min(nlookup, n.nlookup)
	t.reap(n)
}

// forgetAll drops all references of the kernel when the mount has ended.
func (t *inodes) forgetAll() {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, n := range slices.Collect(maps.Values(t.byID)) {
		if n != t.root {
			n.nlookup = 0
			t.reap(n)
		}
	}
}

// pin keeps an inode alive in addition to the references of the kernel, until unpin.
func (t *inodes) pin(n *inode) {
	t.mu.Lock()
	n.pinned++
	t.mu.Unlock()
}

func (t *inodes) unpin(n *inode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	n.pinned--
	t.reap(n)
}

// reap removes an inode without references, and then directories that were kept only
// for it.
func (t *inodes) reap(n *inode) {
	if n == t.root || n.nlookup > 0 || n.pinned > 0 || n.children.len() > 0 || t.byID[n.id] != n {
		return
	}
	dir := t.detach(n)
	n.leave()
	delete(t.byID, n.id)
	t.counted()
	t.reaped(n)
	if dir != nil {
		t.reap(dir)
	}
}

// remove removes the name of an inode. The inode stays while it is open.
func (t *inodes) remove(n *inode) {
	t.mu.Lock()
	defer t.mu.Unlock()
	dir := t.detach(n)
	t.reap(n)
	if dir != nil {
		t.reap(dir)
	}
}

// move gives an inode another name. An inode that had that name before loses it.
func (t *inodes) move(n, dir *inode, name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.vacate(dir, name, n)
	oldDir := t.detach(n)
	t.attach(n, dir, name)
	if oldDir != nil && oldDir != dir {
		t.reap(oldDir)
	}
}

// count returns the number of inodes.
func (t *inodes) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.byID)
}

// childrenOf returns the live inodes of a directory.
func (t *inodes) childrenOf(dir *inode) []*inode {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Collect(dir.children.all())
}

// parentOf returns the directory and the name of an inode, or nil when it has none.
func (t *inodes) parentOf(n *inode) (*inode, string) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return n.parent, n.name
}
