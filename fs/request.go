package fs

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3/fair"
)

// request is the context of one FUSE request. It ends when the caller is interrupted.
//
// The kernel reports every signal, including signals that a program handles before it
// continues: the Go runtime uses SIGURG, and profilers use SIGPROF. A close that ended
// because of them would lose its only answer. Therefore watch checks which signals are
// pending.
type request struct {
	caller fuse.Caller
	cancel <-chan struct{}

	once sync.Once
	done chan struct{} // closed when the caller is interrupted
	stop chan struct{} // closed by end
}

var _ context.Context = (*request)(nil)

// newRequest returns the context of a request. The caller must call end.
func newRequest(cancel <-chan struct{}, h *fuse.InHeader) *request {
	return &request{caller: h.Caller, cancel: cancel}
}

// end releases the resources of the context.
func (r *request) end() {
	r.once.Do(func() {})
	if r.stop != nil {
		close(r.stop)
	}
}

// Done starts watching for interrupts at its first call, so that requests without a
// wait pay nothing.
func (r *request) Done() <-chan struct{} {
	r.once.Do(func() {
		r.done, r.stop = make(chan struct{}), make(chan struct{})
		go watch(r.cancel, r.done, r.stop, int(r.caller.Pid))
	})
	return r.done
}

func (r *request) Err() error {
	select {
	case <-r.Done():
		return context.Canceled
	default:
		return nil
	}
}

// Deadline returns no deadline, because package s3 bounds its calls.
func (r *request) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value returns the user of the request for fair.UserKey.
func (r *request) Value(key any) any {
	if key == (fair.UserKey{}) {
		return fair.User(r.caller.Uid)
	}
	return nil
}

// repoll is the interval between checks of pending signals after a report that was not
// an interrupt. The kernel reports only the first signal.
const repoll = 200 * time.Millisecond

func watch(cancel <-chan struct{}, done, stop chan struct{}, pid int) {
	select {
	case <-cancel:
	case <-stop:
		return
	}
	for !interrupted(pid) {
		select {
		case <-time.After(repoll):
		case <-stop:
			return
		}
	}
	close(done)
}

// interrupted reports whether a signal is pending that ends the process or asks it to
// end. If this cannot be determined, it returns true.
func interrupted(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true
	}
	return interruptPending(status)
}

// interruptPending evaluates the signal masks of proc_pid_status(5).
func interruptPending(status []byte) bool {
	var pending, blocked, ignored, caught uint64
	masks := map[string]*uint64{"SigPnd": &pending, "ShdPnd": &pending, "SigBlk": &blocked, "SigIgn": &ignored, "SigCgt": &caught}
	sc := bufio.NewScanner(bytes.NewReader(status))
	for sc.Scan() {
		name, value, _ := strings.Cut(sc.Text(), ":")
		if mask := masks[name]; mask != nil {
			v, err := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			if err != nil {
				return true
			}
			*mask |= v
		}
	}
	pending &^= blocked | ignored
	return pending&asksToEnd != 0 || pending&^caught&^harmless != 0
}

// inGroup reports whether a caller is a member of a group (proc_pid_status(5)). If its
// groups cannot be read, only the group in the request counts.
func inGroup(c fuse.Caller, gid uint32) bool {
	if c.Gid == gid {
		return true
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", c.Pid))
	return err == nil && groupListed(status, gid)
}

func groupListed(status []byte, gid uint32) bool {
	for line := range strings.Lines(string(status)) {
		if list, ok := strings.CutPrefix(line, "Groups:"); ok {
			return slices.Contains(strings.Fields(list), strconv.FormatUint(uint64(gid), 10))
		}
	}
	return false
}

func signals(list ...syscall.Signal) uint64 {
	var mask uint64
	for _, s := range list {
		mask |= 1 << (uint(s) - 1)
	}
	return mask
}

var (
	// asksToEnd contains signals by which a person or a supervisor asks the program to
	// end, whether it handles them or not.
	asksToEnd = signals(syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGKILL)
	// harmless contains signals whose default action does not end the process
	// (signal(7)).
	harmless = signals(syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGCONT,
		syscall.SIGSTOP, syscall.SIGTSTP, syscall.SIGTTIN, syscall.SIGTTOU)
)

// turn is a mutex whose wait a context can end. Its channel, which holds one element
// while the turn is taken, is created when it is taken for the first time, because most
// inodes are only looked up.
type turn struct{ c atomic.Pointer[chan struct{}] }

// queue returns the channel.
func (t *turn) queue() chan struct{} {
	if c := t.c.Load(); c != nil {
		return *c
	}
	c := make(chan struct{}, 1)
	t.c.CompareAndSwap(nil, &c)
	return *t.c.Load()
}

func (t *turn) take(ctx context.Context) error {
	c := t.queue()
	select {
	case c <- struct{}{}:
		return nil
	default:
	}
	select {
	case c <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// try takes the turn if it is free, and returns the function that gives it back.
func (t *turn) try() (give func(), ok bool) {
	select {
	case t.queue() <- struct{}{}:
		return t.give, true
	default:
		return nil, false
	}
}

func (t *turn) give() { <-t.queue() }
