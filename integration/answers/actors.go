package answers

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// actor is the user of a system call.
type actor struct {
	name     string
	uid, gid int
	groups   []uint32 // supplementary
}

var (
	root  = actor{name: "root"}
	owner = actor{name: "owner", uid: 65534, gid: 65534, groups: []uint32{65534, 65532}}
	other = actor{name: "other", uid: 65533, gid: 65533}
)

// as runs body with the credentials of an actor. It changes only this thread, because
// raw system calls bypass the C library and the Go runtime.
func (a actor) as(body func() error) (err error) {
	if a.uid == 0 {
		return body()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		if err = a.become(); err == nil {
			err = body()
		}
	}()
	<-done
	return err
}

func (a actor) become() error {
	var groups unsafe.Pointer
	if len(a.groups) > 0 {
		groups = unsafe.Pointer(&a.groups[0])
	}
	for _, call := range [][4]uintptr{
		{unix.SYS_SETGROUPS, uintptr(len(a.groups)), uintptr(groups)},
		{unix.SYS_SETRESGID, uintptr(a.gid), uintptr(a.gid), uintptr(a.gid)},
		{unix.SYS_SETRESUID, uintptr(a.uid), uintptr(a.uid), uintptr(a.uid)},
	} {
		if _, _, errno := unix.RawSyscall(call[0], call[1], call[2], call[3]); errno != 0 {
			return errno
		}
	}
	return nil
}
