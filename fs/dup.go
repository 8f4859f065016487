package fs

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
)

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
