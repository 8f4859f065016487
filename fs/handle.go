package fs

import (
	"sync"
	"syscall"

	ino "github.com/s3mount/s3mount/fs/inode"
	"github.com/s3mount/s3mount/fs/namespace"
	"github.com/s3mount/s3mount/fs/readahead"
)

// handle is an open file.
type handle struct {
	node     *inode
	writable bool
	append   bool

	mu      sync.Mutex
	reader  *readahead.Reader // nil until the first read from S3
	epoch   uint64            // of node, when reader was opened
	writers owners            // the processes that wrote through this handle
}

// dirHandle is an open directory.
type dirHandle struct {
	node *inode

	mu     sync.Mutex // one READDIR at a time
	lister *namespace.Lister
	next   *namespace.Dirent // the row that did not fit into the last answer; nil if there is none
	asked  ino.Moment        // when next was read
	pos    uint64            // cookie of the row after the last one answered
}

func writes(flags uint32) bool { return flags&syscall.O_ACCMODE != syscall.O_RDONLY }

// handles contains the open files and directories by file handle (fh).
type handles struct {
	mu    sync.RWMutex
	last  uint64
	files map[uint64]*handle
	dirs  map[uint64]*dirHandle
}

func newHandles() *handles {
	return &handles{files: map[uint64]*handle{}, dirs: map[uint64]*dirHandle{}}
}

func (t *handles) addFile(h *handle) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.files[t.last] = h
	return t.last
}

func (t *handles) addDir(h *dirHandle) uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last++
	t.dirs[t.last] = h
	return t.last
}

// file returns an open file. The kernel passes only open ones.
func (t *handles) file(fh uint64) *handle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.files[fh]
}

func (t *handles) dir(fh uint64) *dirHandle {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.dirs[fh]
}

func (t *handles) removeFile(fh uint64) *handle {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.files[fh]
	delete(t.files, fh)
	return h
}

func (t *handles) removeDir(fh uint64) *dirHandle {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.dirs[fh]
	delete(t.dirs, fh)
	return h
}

// open returns the number of open files.
func (t *handles) open() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.files)
}

// count returns the number of open files and directories.
func (t *handles) count() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.files) + len(t.dirs)
}
