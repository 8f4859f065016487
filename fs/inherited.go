package fs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// A program inherits the open files of its parent and closes them at its exec(2) or
// exit. The kernel sends a FLUSH for each of these closes. If such a FLUSH saved a file
// that the parent is writing, the start of a program would wait for an upload.
// Therefore a close by a process that has not written through the handle, while others
// have, saves nothing. The close of a writer saves the file.

// owners identifies the processes that wrote through a handle by the lock owner, which
// the kernel derives from the table of open files. It is known for writes that bypass
// the page cache.
type owners struct {
	known  []uint64
	others bool // there are unknown ones
}

// maxOwners is the largest number of known owners. A file that more processes write
// through one handle, such as a log, is saved at each close.
const maxOwners = 16

func (o *owners) add(owner uint64) {
	switch {
	case o.others || slices.Contains(o.known, owner):
	case len(o.known) == maxOwners:
		o.others = true
	default:
		o.known = append(o.known, owner)
	}
}

// wrote records a write through h.
func (h *handle) wrote(in *fuse.WriteIn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.WriteFlags&fuse.WRITE_LOCKOWNER == 0 {
		h.writers.others = true
		return
	}
	h.writers.add(in.LockOwner)
}

// wroteUnknown records a change through h by an unknown owner.
func (h *handle) wroteUnknown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writers.others = true
}

// isBystander reports whether others have written through h and owner has not.
func (h *handle) isBystander(owner uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &h.writers
	return !w.others && len(w.known) > 0 && !slices.Contains(w.known, owner)
}

// heldOpen reports whether the process of a thread has the inode open for writing
// (proc_pid_fdinfo(5)). It returns false if this cannot be determined.
//
// A shell opens the target of a redirection, duplicates the descriptor and closes the
// first one before any data are written. Saving the empty file at that close would cost
// a PUT for each redirection. The close of the duplicate saves the file.
func heldOpen(pid uint32, ino uint64) bool {
	dir := fmt.Sprintf("/proc/%d/fdinfo", pid)
	fds, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, fd := range fds {
		info, err := os.ReadFile(dir + "/" + fd.Name())
		if err == nil && writesTo(info, ino) {
			return true
		}
	}
	return false
}

// writesTo reports whether an fdinfo describes a writable descriptor of the inode. It
// contains the inode since Linux 5.14.
func writesTo(fdinfo []byte, ino uint64) bool {
	var same, writable bool
	sc := bufio.NewScanner(bytes.NewReader(fdinfo))
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), ":")
		value = strings.TrimSpace(value)
		switch name {
		case "flags":
			flags, err := strconv.ParseUint(value, 8, 32)
			writable = err == nil && flags&syscall.O_ACCMODE != syscall.O_RDONLY
		case "ino":
			same = value == strconv.FormatUint(ino, 10)
		}
	}
	return same && writable
}
