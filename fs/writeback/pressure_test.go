package writeback

import (
	"context"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

// TestMemoryBound streams much more than the budget, several files at once. They must hold less
// than the budget plus one part each (I8).
func TestMemoryBound(t *testing.T) {
	const memory, files, each = 8 << 20, 4, 96 << 20
	b := newBench(t, t.TempDir(), memory, nil)
	b.s.discard = true
	b.shrink(1<<20, 64<<10)
	var most atomic.Int64
	watch := func(op, key string) error {
		for used := b.budget.Used(); ; {
			was := most.Load()
			if used <= was || most.CompareAndSwap(was, used) {
				return nil
			}
		}
	}
	b.s.hook(watch, watch)
	var wg sync.WaitGroup
	for i := range files {
		wg.Go(func() {
			f := b.Open(OpenInput{Key: string(rune('a' + i))})
			p := random(1<<20, uint64(i))
			for off := int64(0); off < each; off += int64(len(p)) {
				mustWrite(t, f, p, off)
			}
			mustCommit(t, f)
			mustClose(t, f)
		})
	}
	wg.Wait()
	if got, limit := most.Load(), int64(memory+files*b.limits.part); got > limit {
		t.Errorf("I8: %d bytes were held, at most %d are allowed", got, limit)
	}
	b.end(t)
}

// TestSpoolKeepsBytes writes at random with a budget that is much too small, uploads nothing, and
// reads all bytes.
func TestSpoolKeepsBytes(t *testing.T) {
	b := newBench(t, t.TempDir(), 1<<20, nil)
	f := b.Open(OpenInput{Key: "k"})
	const size = 12 << 20
	if err := f.Truncate(context.Background(), size); err != nil {
		t.Fatal(err)
	}
	want := make([]byte, size)
	for i := range 400 {
		p := random(1+i*97%90_000, uint64(i))
		off := (i * 7_654_321) % (size - len(p))
		mustWrite(t, f, p, int64(off))
		copy(want[off:], p)
		if i%50 == 0 {
			if err := f.check(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if b.Stats().Spool == 0 {
		t.Error("nothing is in the spool")
	}
	sameContent(t, "file", content(t, f), want)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

// TestFullSpoolCommitsEarly checks that a file is committed when the spool is full, and that its
// writer continues.
func TestFullSpoolCommitsEarly(t *testing.T) {
	b := newBench(t, t.TempDir(), 1<<20, func(o *Options) { o.spoolLimit = 1 << 20 })
	b.shrink(256<<10, 64<<10)
	f := b.Open(OpenInput{Key: "k"})
	want := random(10<<20, 1)
	for off := 0; off < len(want); off += 100_000 {
		mustWrite(t, f, want[off:min(off+100_000, len(want))], int64(off))
	}
	if b.Stats().EarlyCommits == 0 {
		t.Error("no early commit")
	}
	copy(want[1000:], "old bytes again")
	mustWrite(t, f, []byte("old bytes again"), 1000)
	sameContent(t, "file", content(t, f), want)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

// TestEarlyCommitInTurn checks that a full spool commits a file only in its turn. The writer waits
// while another caller has the turn, but not forever, because that caller may wait for memory, too.
func TestEarlyCommitInTurn(t *testing.T) {
	for name, free := range map[string]bool{"free in time": true, "never free": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, t.TempDir(), 1<<20, func(o *Options) { o.spoolLimit = 1 << 20 })
				b.shrink(256<<10, 64<<10)
				turn := make(chan struct{}, 1)
				f := b.Open(OpenInput{Key: "k", Turn: func() (func(), bool) {
					select {
					case turn <- struct{}{}:
						return func() { <-turn }, true
					default:
						return nil, false
					}
				}})
				turn <- struct{}{}
				want := random(12<<20, 1)
				wrote := make(chan error, 1)
				n := 0
				go func() {
					var err error
					for ; err == nil && n < len(want); n += 100_000 {
						_, err = f.WriteAt(context.Background(), want[n:min(n+100_000, len(want))], int64(n))
					}
					wrote <- err
				}()
				time.Sleep(heldPauses * patience / 2)
				if st := b.Stats(); st.EarlyCommits > 0 || st.Commits > 0 {
					t.Errorf("committed in the turn of another: %+v", st)
				}
				if free {
					<-turn
				}
				err := <-wrote
				if !free {
					if !errors.Is(err, ErrNoSpace) {
						t.Errorf("write with no room left: %v, want ErrNoSpace", err)
					}
					<-turn
					mustWrite(t, f, want[n-100_000:], int64(n-100_000)) // the refused write and the rest
				} else if err != nil {
					t.Errorf("write: %v", err)
				}
				if b.Stats().EarlyCommits == 0 {
					t.Error("no early commit")
				}
				mustCommit(t, f)
				sameContent(t, "object", b.s.object("k"), want)
				mustClose(t, f)
				b.end(t)
				if len(turn) > 0 {
					t.Error("the turn was kept")
				}
			})
		})
	}
}

// TestNoSpace checks a write without room in the spool and without S3. The write fails, and earlier
// bytes are unaffected. A file that may be committed reports the error of S3, and a discarded file
// reports ErrNoSpace.
func TestNoSpace(t *testing.T) {
	for _, discarded := range []bool{false, true} {
		b := newBench(t, t.TempDir(), 1<<20, func(o *Options) { o.spoolLimit = 0 })
		b.s.hook(func(op, key string) error {
			if op != "abort" {
				return errFake
			}
			return nil
		}, nil)
		f := b.Open(OpenInput{Key: "k"})
		expect := errFake
		if discarded {
			f.Discard()
			expect = ErrNoSpace
		}
		var want, p []byte
		var err error
		for i := 0; err == nil && i < 200; i++ {
			p = random(100_000, uint64(i))
			if _, err = f.WriteAt(context.Background(), p, int64(len(want))); err == nil {
				want = append(want, p...)
			}
		}
		if !errors.Is(err, expect) {
			t.Fatalf("%d bytes were taken, then: %v, want %v", len(want), err, expect)
		}
		if n, limit := b.budget.Used(), 1<<20+b.o.PartSize; n > limit {
			t.Errorf("I8: %d bytes are held, at most %d are allowed", n, limit)
		}
		sameContent(t, "file", content(t, f), want)
		b.s.hook(nil, nil)
		if !discarded {
			if _, err := f.Commit(context.Background()); !errors.Is(err, errFake) {
				t.Errorf("I7: commit without the write that failed: %v", err)
			}
			mustWrite(t, f, p, int64(len(want)))
			mustCommit(t, f)
			sameContent(t, "object", b.s.object("k"), append(want, p...))
		}
		mustClose(t, f)
		b.end(t)
	}
}

// TestWaitingWriterCanLeave checks that the end of the context ends the wait for memory.
func TestWaitingWriterCanLeave(t *testing.T) {
	b := newBench(t, t.TempDir(), 1<<20, nil)
	b.budget.Force(1 << 20) // readers hold all memory
	g := newGate("put")
	b.s.hook(g.hook, nil)
	other := b.Open(OpenInput{Key: "busy"})
	var wg sync.WaitGroup
	wg.Go(func() { _, _ = other.Commit(context.Background()) })
	<-g.reached
	f := b.Open(OpenInput{Key: "k"})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := f.WriteAt(ctx, []byte("x"), 0); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("write: %v", err)
	}
	close(g.open)
	wg.Wait()
	// With no running upload the least memory is forced, so that writers progress.
	mustWrite(t, f, []byte("x"), 0)
	b.budget.Release(1 << 20)
	mustClose(t, other)
	mustClose(t, f)
	b.end(t)
}

func TestSpoolFile(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(dir+"/spool", 1<<20)
	defer s.close()
	a, err := s.store([][]byte{[]byte("by"), []byte("tes"), make([]byte, 5000)})
	if err != nil || a.size != 8192 {
		t.Fatalf("%+v, %v", a, err)
	}
	if info, err := os.Stat(dir + "/spool"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("spool directory: %v, %v", info.Mode(), err)
	}
	if left, _ := os.ReadDir(dir + "/spool"); len(left) != 0 {
		t.Error("the spool file has a name")
	}
	p := make([]byte, 5)
	if err := s.read(p, a.off); err != nil || string(p) != "bytes" {
		t.Errorf("%q, %v", p, err)
	}
	s.release(a)
	if again, _ := s.alloc(8000); again != a {
		t.Errorf("slot %+v, want %+v again", again, a)
	}
	if _, err := s.alloc(1); err != nil {
		t.Error(err)
	}
	for range 8 {
		_, err = s.alloc(128 << 10)
	}
	if !errors.Is(err, ErrNoSpace) {
		t.Errorf("past the limit: %v", err)
	}
}

func TestSpoolDirectoryFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/spool", nil, 0o600); err != nil { // a file where a directory must be
		t.Fatal(err)
	}
	b := newBench(t, dir, 1<<20, nil)
	b.shrink(256<<10, 64<<10)
	f := b.Open(OpenInput{Key: "k"})
	want := random(4<<20, 1)
	for off := 0; off < len(want); off += 64 << 10 {
		mustWrite(t, f, want[off:off+64<<10], int64(off)) // early commits carry it
	}
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

// TestSpoolAndS3Fail checks that a write without memory also fails if the spool has an error other
// than a full disk.
func TestSpoolAndS3Fail(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/spool", nil, 0o600); err != nil { // a file where a directory must be
		t.Fatal(err)
	}
	b := newBench(t, dir, 1<<20, nil)
	f := b.Open(OpenInput{Key: "k"})
	f.Discard() // no early commit is possible
	var err error
	p := random(128<<10, 1)
	for off := int64(0); err == nil && off < 16<<20; off += int64(len(p)) {
		_, err = f.WriteAt(context.Background(), p, off)
	}
	if err == nil {
		t.Error("no write failed, want the error of the spool")
	}
	if errno := unix.Errno(0); errors.As(err, &errno) {
		t.Errorf("the write has the errno of the spool: %v", errno)
	}
	mustClose(t, f)
	b.end(t)
}

// TestNoEarlyCommitOfRefusedWrite checks that a full spool does not commit a file that lacks a
// refused write.
func TestNoEarlyCommitOfRefusedWrite(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.s.put("k", []byte("old bytes"))
	f := b.openKey("k")
	mustWrite(t, f, []byte("new"), 0)
	b.s.hook(func(string, string) error { return errFake }, nil)
	if started, _ := b.commitEarly(); !started {
		t.Fatal("no early commit")
	}
	<-b.quiet()
	if _, err := f.WriteAt(context.Background(), []byte("bits"), 4); !errors.Is(err, errFake) {
		t.Fatalf("I5: write: %v", err)
	}
	b.s.hook(nil, nil)
	if started, _ := b.commitEarly(); started {
		t.Error("I7: committed without the write that failed")
	}
	<-b.quiet()
	sameContent(t, "object", b.s.object("k"), []byte("old bytes"))
	mustWrite(t, f, []byte("bits"), 4)
	mustWrite(t, f, []byte("bits"), 4)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), []byte("new bitss"))
	mustClose(t, f)
	b.end(t)
}
