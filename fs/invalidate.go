package fs

import (
	"sync"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/fs/entry"
)

// notifier contains the methods of *fuse.Server that make the kernel drop cached names
// and attributes.
type notifier interface {
	EntryNotify(parent uint64, name string) fuse.Status
	InodeNotify(node uint64, off, length int64) fuse.Status
}

var _ notifier = (*fuse.Server)(nil)

// teller makes the kernel forget names and pages that are not true any more.
type teller struct {
	*services
	server notifier // set by Init, before the first request
	sweep  sweep
}

// forgetName makes the kernel look a name up again. It must not run in the
// handler of a request on the same directory, whose lock the kernel holds.
func (f *teller) forgetName(n *inode) {
	dir, name := f.inodes.parentOf(n)
	f.forgetDentry(dir, name)
}

// forgetDentry is forgetName for a name in a directory. It does nothing if dir is nil.
func (f *teller) forgetDentry(dir *inode, name string) {
	if f.server != nil && dir != nil {
		go f.server.EntryNotify(dir.id, name)
	}
}

// refresh makes the kernel ask for attributes again. It does not touch pages, so it may
// run in a handler.
func (f *teller) refresh(n *inode) {
	if f.server != nil {
		f.server.InodeNotify(n.id, -1, 0)
	}
}

// invalidate drops everything that is cached for one inode. A directory keeps its
// dentry, because removing it would affect the programs whose working directory it is.
func (f *teller) invalidate(n *inode) {
	f.ns.Invalidate(n.snapshot().Key)
	n.uncheck()
	f.refresh(n)
	if n.kind != entry.Directory {
		f.forgetName(n)
	}
}

// invalidateAll drops everything that is cached. It does not wait for the kernel.
func (f *teller) invalidateAll() {
	f.ns.InvalidateAll()
	f.checks.voidAll()
	f.sweep.start(f.watching.Go, f.forgetAll)
}

// forgetAll makes the kernel ask for all names and attributes again, one after the
// other: EntryNotify waits while a program works in the directory.
func (f *teller) forgetAll() {
	if f.server == nil {
		return
	}
	for _, n := range f.inodes.all() {
		if f.life.Err() != nil {
			return
		}
		f.refresh(n)
		if dir, name := f.inodes.parentOf(n); dir != nil && n.kind != entry.Directory {
			f.server.EntryNotify(dir.id, name)
		}
	}
}

// sweep runs work in one goroutine at a time.
type sweep struct {
	mu      sync.Mutex
	running bool
	again   bool // start was called while work ran
}

// start runs work in a goroutine of spawn. If work is running, it runs once more
// afterwards.
func (s *sweep) start(spawn func(func()), work func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.running {
		s.again = true
		return
	}
	s.running = true
	spawn(func() {
		for again := true; again; {
			work()
			again = s.next()
		}
	})
}

// next reports whether work has to run once more.
func (s *sweep) next() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	again := s.again
	s.running, s.again = again, false
	return again
}
