package fs

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/s3"
)

// The kernel decides about access (default_permissions), by the mode, owner and
// group that the mount has told it. A listing does not tell these, so the kernel
// may have decided by default attributes. Before such a decision takes effect,
// access asks for the attributes of the object. If they differ, it lets the
// operation fail with ESTALE, and the kernel walks the path again, gets the exact
// attributes from LOOKUP and GETATTR, and decides again. No operation succeeds
// before the kernel has been told the attributes of the object.
//
// Every operation that gives the kernel a name in a directory confirms that
// directory first. So a dentry in the kernel's cache always is below directories
// whose exact attributes the kernel knows.

// access makes sure that the kernel decides by exact attributes. It does nothing
// on a mount that only one user can use.
type access struct {
	on bool
	f  *finder

	mu       sync.Mutex
	sentBack map[uint32]time.Time // threads that got ESTALE, and when
}

func newAccess(f *finder) *access {
	return &access{
		on: f.o.AllowOther && f.o.Posix != string(namespace.PosixOff), f: f,
		sentBack: map[uint32]time.Time{},
	}
}

// permissions are the attributes that decide about access. Its zero value grants
// the least: everything belongs to root, who needs no permission.
type permissions struct{ perm, uid, gid uint32 }

func permissionsOf(e entry.Entry) permissions {
	return permissions{e.Attr.Perm & 0o7777, e.Attr.UID, e.Attr.GID}
}

// straggle is how long an operation may take from the decision of the kernel to
// its handler. It usually takes some 20 µs. The kernel can preempt the thread in
// between, and other threads then hear of new permissions first.
const straggle = 10 * time.Second

// telling records the permissions of an inode that the kernel has been told.
// inode.mutex guards it.
type telling struct {
	last   permissions
	change *change // nil: last has not changed for a while
}

// change is a recent change of the permissions that the kernel believes in. A
// thread that has not heard of them may have been let through by the old ones.
type change struct {
	when  time.Time
	heard []uint32 // threads that were told the new ones
}

// note records that the answer to a request of a thread contains p.
func (t *telling) note(p permissions, thread uint32) {
	now := time.Now()
	switch {
	case t.last == permissions{}: // no access was allowed by these
		t.last = p
	case t.last != p:
		t.last, t.change = p, &change{when: now, heard: []uint32{thread}}
	case t.change == nil:
	case now.Sub(t.change.when) > straggle:
		t.change = nil
	case !slices.Contains(t.change.heard, thread):
		t.change.heard = append(t.change.heard, thread)
	}
}

// keep replaces the permissions of a directory that come from a listing with the
// permissions that the kernel already knows. The kernel may have names in the
// directory, and would otherwise allow access to them by default permissions.
func (t *telling) keep(e *entry.Entry) {
	if t != nil && !e.Exact && e.Kind == entry.Directory && t.last != (permissions{}) {
		e.Attr.Perm, e.Attr.UID, e.Attr.GID = t.last.perm, t.last.uid, t.last.gid
	}
}

// decidedBy reports whether the kernel has let a thread through by p.
func (t *telling) decidedBy(p permissions, thread uint32) bool {
	if t == nil || t.last != p {
		return false
	}
	c := t.change
	return c == nil || time.Since(c.when) > straggle || slices.Contains(c.heard, thread)
}

// told records that the answer to a request of caller contains the permissions of e.
func (a *access) told(n *inode, e entry.Entry, caller fuse.Caller) {
	if !a.on {
		return
	}
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.told == nil {
		n.told = &telling{}
	}
	n.told.note(permissionsOf(e), caller.Pid)
}

// confirm returns nil if the kernel has let the caller through by the exact
// attributes of an inode. Otherwise it returns ESTALE: the kernel then decides again.
func (a *access) confirm(ctx context.Context, n *inode, caller fuse.Caller) error {
	if !a.on {
		return nil
	}
	truth, err := a.learn(ctx, n)
	if err != nil {
		return err
	}
	return a.decided(n, truth, caller)
}

// decided returns ESTALE unless the kernel has let the caller through by truth.
func (a *access) decided(n *inode, truth permissions, caller fuse.Caller) error {
	n.mutex.Lock()
	ok := n.told.decidedBy(truth, caller.Pid)
	n.mutex.Unlock()
	if ok {
		return nil
	}
	a.f.refresh(n) // the kernel asks for attributes before its next decision
	a.sendBack(caller.Pid)
	return syscall.ESTALE
}

const (
	// rewalk is how long a thread may take to walk a path again after ESTALE. The
	// kernel begins at once. Requests to S3 take most of that time.
	rewalk = 5 * time.Second
	// maxSentBack bounds the threads that are remembered.
	maxSentBack = 1000
)

// sendBack remembers that a thread walks its path again.
func (a *access) sendBack(thread uint32) {
	now := time.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.sentBack) >= maxSentBack {
		maps.DeleteFunc(a.sentBack, func(_ uint32, t time.Time) bool { return now.Sub(t) > rewalk })
	}
	if len(a.sentBack) < maxSentBack {
		a.sentBack[thread] = now
	}
}

// walksAgain reports whether a thread got ESTALE a moment ago.
func (a *access) walksAgain(thread uint32) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	t, ok := a.sentBack[thread]
	return ok && time.Since(t) <= rewalk
}

// found makes the answer to a LOOKUP exact where that is needed: directories always
// are, since the kernel walks through them without asking again. Files are where the
// kernel walks a path again, since it does so only once for each system call.
func (a *access) found(ctx context.Context, n *inode, caller fuse.Caller) error {
	if !a.on || n.kind != entry.Directory && !a.walksAgain(caller.Pid) {
		return nil
	}
	return a.show(ctx, n)
}

// confirmSearch is confirm for a LOOKUP in a directory. The kernel does not repeat
// some of these, such as the one before mkdir. So a caller that may search the
// directory gets an answer, and the kernel asks for the attributes of the directory
// before it decides about anything else there.
func (a *access) confirmSearch(ctx context.Context, dir *inode, caller fuse.Caller) error {
	if !a.on {
		return nil
	}
	truth, err := a.learn(ctx, dir)
	if err != nil {
		return err
	}
	err = a.decided(dir, truth, caller)
	if err != nil && truth.maySearch(caller) {
		return nil
	}
	return err
}

// maySearch reports whether a directory with these permissions surely lets a caller
// search it.
func (p permissions) maySearch(c fuse.Caller) bool {
	const all = 0o011 // search for the group and for others
	switch {
	case c.Uid == 0:
		return true
	case c.Uid == p.uid:
		return p.perm&0o100 != 0
	case p.perm&all == 0 || p.perm&all == all:
		return p.perm&all == all
	case inGroup(c, p.gid):
		return p.perm&0o010 != 0
	}
	return p.perm&0o001 != 0 && c.Pid != 0 // of threads without a number, the groups are unknown
}

// confirmFile is confirm for an operation on the inode itself. Root needs no
// permission for it.
func (a *access) confirmFile(ctx context.Context, n *inode, caller fuse.Caller) error {
	if !a.on {
		return nil
	}
	truth, err := a.learn(ctx, n)
	if err != nil || caller.Uid == 0 {
		return err
	}
	return a.decided(n, truth, caller)
}

// confirmOwner is confirmFile for an operation that the owner may always do.
func (a *access) confirmOwner(ctx context.Context, n *inode, caller fuse.Caller) error {
	if !a.on {
		return nil
	}
	truth, err := a.learn(ctx, n)
	if err != nil || caller.Uid == 0 || caller.Uid == truth.uid {
		return err
	}
	return a.decided(n, truth, caller)
}

// confirmSticky is confirm for a name that is to be taken out of a directory, or
// replaced there: in a sticky directory the owner of the file decides.
func (a *access) confirmSticky(ctx context.Context, dir, n *inode, caller fuse.Caller) error {
	if !a.on {
		return nil
	}
	truth, err := a.learn(ctx, dir)
	if err != nil || truth.perm&syscall.S_ISVTX == 0 {
		return err
	}
	return a.confirmOwner(ctx, n, caller)
}

// learn makes sure that the inode has the attributes of its object, and returns its
// permissions.
func (a *access) learn(ctx context.Context, n *inode) (permissions, error) {
	return a.learnBy(ctx, n, a.f.ns.Confirm)
}

// learnBy is learn by one of the questions that the namespace can ask.
func (a *access) learnBy(ctx context.Context, n *inode, ask func(context.Context, entry.Entry) (entry.Entry, error)) (permissions, error) {
	e := n.snapshot()
	if e.Exact || n.private() {
		return permissionsOf(e), nil
	}
	asked := a.f.inodes.now()
	now, err := ask(ctx, e)
	if err != nil {
		return permissions{}, err
	}
	if now.Kind != n.kind {
		return permissions{}, syscall.ESTALE
	}
	if !a.f.learn(n, now, asked) {
		a.f.forgetName(n)
		return permissions{}, syscall.ESTALE
	}
	n.lock()
	defer n.unlock()
	if n.Owes() || n.Entry().Exact { // this mount may have changed them since
		now = n.Entry()
	}
	return permissionsOf(now), nil
}

// show is learn for attributes that are shown, on every mount: they are exact where a
// mount has stored attributes in the directory. An object that may not be asked is
// shown with the attributes that are known.
func (a *access) show(ctx context.Context, n *inode) error {
	if !a.on && !a.f.ns.Hinted(n.snapshot()) {
		return nil
	}
	_, err := a.learnBy(ctx, n, a.f.ns.Attributes)
	switch {
	case errors.Is(err, s3.ErrForbidden), errors.Is(err, s3.ErrInvalidInput):
		return nil
	case n.isOpen() && (absent(err) || errors.Is(err, syscall.ESTALE)):
		return nil // fstat shows what is open
	}
	return err
}
