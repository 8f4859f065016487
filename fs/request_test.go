package fs

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"
)

func TestInterruptPending(t *testing.T) {
	for _, c := range []struct {
		name                     string
		pending, blocked         uint64
		ignored, caught, private uint64
		want                     bool
	}{
		{name: "nothing"},
		{name: "preemption of a Go program", private: signals(syscall.SIGURG), caught: signals(syscall.SIGURG)},
		{name: "a profiler's tick", pending: signals(syscall.SIGPROF), caught: signals(syscall.SIGPROF)},
		{name: "an alarm that ends the program", pending: signals(syscall.SIGALRM), want: true},
		{name: "an alarm that is handled", pending: signals(syscall.SIGALRM), caught: signals(syscall.SIGALRM)},
		{name: "a child ended", pending: signals(syscall.SIGCHLD)},
		{name: "Ctrl-C", pending: signals(syscall.SIGINT), want: true},
		{name: "Ctrl-C that is handled", pending: signals(syscall.SIGINT), caught: signals(syscall.SIGINT), want: true},
		{name: "Ctrl-C that is ignored", pending: signals(syscall.SIGINT), ignored: signals(syscall.SIGINT)},
		{name: "Ctrl-C that is blocked", pending: signals(syscall.SIGINT), blocked: signals(syscall.SIGINT)},
		{name: "kill of one thread", private: signals(syscall.SIGKILL), want: true},
		{name: "window resized", pending: signals(syscall.SIGWINCH)},
	} {
		t.Run(c.name, func(t *testing.T) {
			status := fmt.Sprintf("Name:\tx\nState:\tS\nSigPnd:\t%016x\nShdPnd:\t%016x\nSigBlk:\t%016x\nSigIgn:\t%016x\nSigCgt:\t%016x\n",
				c.private, c.pending, c.blocked, c.ignored, c.caught)
			if got := interruptPending([]byte(status)); got != c.want {
				t.Errorf("interruptPending = %v, want %v", got, c.want)
			}
		})
	}
	if !interruptPending([]byte("SigPnd:\tnonsense\n")) {
		t.Error("a mask that cannot be read must count as an interrupt")
	}
}

// A report of a signal that is not pending (this process has none) leaves the
// request alone; one about a process that is gone ends it.
func TestRequestCancel(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cancel := make(chan struct{})
		r := newRequest(cancel, &fuse.InHeader{Caller: fuse.Caller{Pid: uint32(os.Getpid())}})
		done := r.Done()
		close(cancel)
		time.Sleep(10 * repoll)
		synctest.Wait()
		select {
		case <-done:
			t.Error("ended without a signal that asks to end")
		default:
		}
		r.end()

		gone := newRequest(cancel, &fuse.InHeader{Caller: fuse.Caller{Pid: 1 << 30}})
		<-gone.Done()
		if gone.Err() != context.Canceled {
			t.Errorf("Err = %v, want Canceled", gone.Err())
		}
		gone.end()
	})
}

func TestRequestEndWithoutWait(t *testing.T) {
	r := newRequest(nil, &fuse.InHeader{})
	r.end()
	if r.stop != nil {
		t.Error("a request that nobody waited on started a watcher")
	}
}

func TestTurn(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	turn := &turn{}
	if err := turn.take(ctx); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := turn.take(ctx); err != context.Canceled {
		t.Errorf("take of a taken turn = %v, want Canceled", err)
	}
	turn.give()
	if err := turn.take(t.Context()); err != nil {
		t.Errorf("take after give = %v", err)
	}
}

func TestGroupListed(t *testing.T) {
	const status = "Name:\tsh\nGid:\t7\t7\t7\t7\nGroups:\t4 24 65532 \nSigPnd:\t0\n"
	for gid, want := range map[uint32]bool{4: true, 65532: true, 7: false, 2: false} {
		if got := groupListed([]byte(status), gid); got != want {
			t.Errorf("group %d: %v", gid, got)
		}
	}
	if groupListed([]byte("Groups:\t\n"), 0) {
		t.Error("no groups hold group 0")
	}
}
