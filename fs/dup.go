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

// A program that is started inherits the open files of who starts it, and closes
// them at its exec(2) or its end. For each such close the kernel sends a FLUSH. To
// save at that the file that somebody else is in the middle of writing would make
// the start of a program wait for an upload. So a close by who has written nothing
// through the handle, while others have, saves nothing: theirs is still to come.

// owners are those who wrote through a handle, by the table of open files that
// the kernel calls the lock owner. They are known of writes past the page cache.
type owners struct {
	known  []uint64
	others bool // and there are some that are not known
}

// ownersMost bounds the owners that are known: a log that hundreds of programs
// inherit and write to is saved at each close.
const ownersMost = 16

func (o *owners) add(owner uint64) {
	switch {
	case o.others || slices.Contains(o.known, owner):
	case len(o.known) == ownersMost:
		o.others = true
	default:
		o.known = append(o.known, owner)
	}
}

// wrote notes a write through h.
func (h *handle) wrote(in *fuse.WriteIn) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if in.WriteFlags&fuse.WRITE_LOCKOWNER == 0 {
		h.writers.others = true
		return
	}
	h.writers.add(in.LockOwner)
}

// wroteUnknown notes a change through h by who knows whom.
func (h *handle) wroteUnknown() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.writers.others = true
}

// bystander: others have written through h, and owner has not.
func (h *handle) bystander(owner uint64) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := &h.writers
	return !w.others && len(w.known) > 0 && !slices.Contains(w.known, owner)
}

// heldOpen tells whether the process of a thread has the inode open for
// writing, by proc_pid_fdinfo(5).
//
// A shell opens the target of a redirection, duplicates the descriptor and
// closes the first, before a byte is written. To save the empty file at that
// close would cost a PUT for each redirection, and the close that counts is
// still to come. Where it cannot be told, the answer is no.
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

// writesTo reads one fdinfo. Linux tells the inode since 5.14.
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
