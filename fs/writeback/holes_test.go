package writeback

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// unit is the size unit of these tests: a part has 5 units.
const unit = int64(16) << 10

// newHoleBench returns a manager with small parts.
func newHoleBench(t *testing.T) *bench {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(5*unit, 5*unit)
	return b
}

// TestHolesAreSentOnce checks that only one part of the long holes of a file is sent, and that S3 copies
// the rest.
func TestHolesAreSentOnce(t *testing.T) {
	for _, c := range []struct {
		name   string
		base   int64 // bytes of the object before
		do     func(t *testing.T, f *File)
		most   int64 // bytes sent
		copies int   // the largest number of copy requests
	}{
		{"a new file", 0, func(t *testing.T, f *File) {
			mustTruncate(t, f, 300*unit)
		}, 5 * unit, 60},
		{"bytes at the end", 0, func(t *testing.T, f *File) {
			mustWrite(t, f, random(1000, 1), 300*unit)
		}, 5*unit + 5*unit + 1000, 60},
		{"a hole behind a stream", 0, func(t *testing.T, f *File) {
			mustWrite(t, f, random(int(12*unit), 1), 0)
			mustTruncate(t, f, 300*unit)
		}, 5*unit + 15*unit, 58},
		{"a hole behind a base", 12 * unit, func(t *testing.T, f *File) {
			mustTruncate(t, f, 300*unit)
		}, 5 * unit, 60},
		{"a hole that was punched", 100 * unit, func(t *testing.T, f *File) {
			if err := f.PunchHole(context.Background(), 20*unit, 60*unit); err != nil {
				t.Fatal(err)
			}
		}, 5 * unit, 16},
		{"punched before the commit", 0, func(t *testing.T, f *File) {
			mustTruncate(t, f, 100*unit)
			if err := f.PunchHole(context.Background(), 0, 100*unit); err != nil {
				t.Fatal(err)
			}
		}, 5 * unit, 20},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newHoleBench(t)
			var f *File
			if c.base > 0 {
				b.s.put("k", random(int(c.base), 3))
				f = b.openKey("k")
			} else {
				f = b.Open(OpenInput{Key: "k"})
			}
			c.do(t, f)
			v := mustCommit(t, f)
			<-b.quiet()
			b.s.mu.Lock()
			if b.s.sent > c.most {
				t.Errorf("%d bytes are sent, want at most %d", b.s.sent, c.most)
			}
			b.s.mu.Unlock()
			if n := b.s.count("copy"); n > c.copies {
				t.Errorf("%d copies, want at most %d", n, c.copies)
			}
			sameContent(t, "object", b.s.object("k"), readAll(t, f))
			if v.Size != f.Size() {
				t.Errorf("version of %d bytes, the file has %d", v.Size, f.Size())
			}
			mustClose(t, f)
			b.end(t) // fails if objects of zeros are left
		})
	}
}

func readAll(t *testing.T, f *File) []byte {
	t.Helper()
	p := make([]byte, f.Size())
	if _, err := f.ReadAt(context.Background(), p, 0); err != nil {
		t.Fatal(err)
	}
	return p
}

// TestLongHoleNeedsFewRequests checks that a hole of 60 GiB consists of large copies, and that its
// progress is shown.
func TestLongHoleNeedsFewRequests(t *testing.T) {
	const size = 60 << 30
	b := newBench(t, t.TempDir(), 16<<20, func(o *Options) { o.PartSize = 8 << 20 })
	b.s.discard = true
	f := b.Open(OpenInput{Key: "k"})
	mustTruncate(t, f, size)
	if n := b.Stats().Unsaved; n != size {
		t.Errorf("%d bytes are unsaved before the commit, want %d", n, int64(size))
	}
	hold, held := make(chan struct{}), make(chan struct{})
	b.s.hook(func(op, key string) error {
		if op == "complete" && key == "k" {
			close(held)
			<-hold
		}
		return nil
	}, nil)
	done := make(chan error)
	go func() {
		_, err := f.Commit(context.Background())
		done <- err
	}()
	<-held
	if u := b.Uploads(); len(u) != 1 || u[0].Size != size || u[0].Sent != size {
		t.Errorf("the uploads under way are %+v, want one that is sent", u)
	}
	close(hold)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if n := b.Stats().Unsaved; n != 0 {
		t.Errorf("%d bytes are unsaved after the commit", n)
	}
	<-b.quiet()
	if b.s.sent != 8<<20 || len(b.s.calls) > 100 {
		t.Errorf("%d bytes in %d requests, want %d in at most 100", b.s.sent, len(b.s.calls), 8<<20)
	}
	mustClose(t, f)
	b.end(t)
}

// TestServerWithoutCopies checks that zeros are sent if S3 cannot copy, and that the log reports it once.
func TestServerWithoutCopies(t *testing.T) {
	for _, size := range []int64{40 * unit, 400 * unit} { // with and without an object made of copies
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			b := newHoleBench(t)
			b.s.hook(func(op, key string) error {
				if op == "copy" {
					return s3.ErrNotImplemented
				}
				return nil
			}, nil)
			for _, key := range []string{"k", "l"} {
				f := b.Open(OpenInput{Key: key})
				mustTruncate(t, f, size)
				mustCommit(t, f)
				if n := int64(len(b.s.object(key))); n != size {
					t.Errorf("the object has %d bytes, want %d", n, size)
				}
				mustClose(t, f)
			}
			if n := strings.Count(b.log.String(), "the server cannot copy zeros"); n != 1 {
				t.Errorf("the log says %d times that the server cannot copy: %s", n, b.log)
			}
			b.end(t)
		})
	}
}

// TestNextMountDeletesZeros checks that the next mount deletes the objects of zeros of a killed mount.
func TestNextMountDeletesZeros(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.s.put("scratch/x", make([]byte, 1000))
	if err := b.notes.add(b.scratch("scratch/x")); err != nil {
		t.Fatal(err)
	}
	if err := b.Manager.Close(); err != nil {
		t.Fatal(err)
	}
	next, err := New(b.s, b.pool, b.o)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := next.AbortOrphans(context.Background()); n != 1 || err != nil {
		t.Errorf("%d orphans, %v; want 1", n, err)
	}
	if b.s.object("scratch/x") != nil {
		t.Error("the zeros are still there")
	}
	b.Manager = next
	b.end(t)
}

// heldUpload opens a file whose commit waits in its parts until release is called.
func heldUpload(t *testing.T, b *bench) (f *File, commit chan error, release func()) {
	t.Helper()
	held, hold := make(chan struct{}, 1), make(chan struct{})
	b.s.hook(func(op, key string) error {
		if key == "k" && (op == "copy" || op == "part") {
			select {
			case held <- struct{}{}:
			default:
			}
			<-hold
		}
		return nil
	}, nil)
	f = b.Open(OpenInput{Key: "k"})
	mustTruncate(t, f, 300*unit)
	commit = make(chan error, 1)
	go func() {
		_, err := f.Commit(context.Background())
		commit <- err
	}()
	<-held
	return f, commit, func() { close(hold) }
}

// TestTruncateEndsTheUpload checks that bytes behind a truncation are not sent, and that the commit
// writes the rest.
func TestTruncateEndsTheUpload(t *testing.T) {
	for _, size := range []int64{0, 1000} {
		b := newHoleBench(t)
		f, commit, release := heldUpload(t, b)
		mustTruncate(t, f, size)
		release()
		if err := <-commit; err != nil {
			t.Errorf("commit of a file that was truncated: %v", err)
		}
		<-b.quiet()
		if got := b.s.object("k"); int64(len(got)) != size {
			t.Errorf("the object has %d bytes, want %d", len(got), size)
		}
		if b.s.count("abort") == 0 {
			t.Error("the upload is not aborted")
		}
		mustClose(t, f)
		b.end(t)
	}
}

// TestTruncateEndsTheStream checks that a truncation ends the stream at once, not the next commit.
func TestTruncateEndsTheStream(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, random(300_000, 1), 0)
	mustTruncate(t, f, 0)
	<-b.quiet()
	if n := b.Stats().Uploads; n != 0 {
		t.Errorf("%d uploads are under way, want none", n)
	}
	mustCommit(t, f)
	mustClose(t, f)
	b.end(t)
}

// TestInterruptEndsTheUpload checks that an interrupted commit returns its turn, that no byte is
// lost if the file is not discarded, and that nothing is sent if it is.
func TestInterruptEndsTheUpload(t *testing.T) {
	for _, discard := range []bool{false, true} {
		t.Run(fmt.Sprintf("discard %v", discard), func(t *testing.T) {
			b := newHoleBench(t)
			f, commit, release := heldUpload(t, b)
			resume := f.Interrupt()
			release()
			if err := <-commit; !errors.Is(err, ErrInterrupted) {
				t.Errorf("commit: %v, want %v", err, ErrInterrupted)
			}
			if _, err := f.Commit(context.Background()); !errors.Is(err, ErrInterrupted) {
				t.Errorf("next commit: %v, want %v", err, ErrInterrupted)
			}
			if discard {
				f.Discard()
			}
			resume()
			mustCommit(t, f)
			<-b.quiet()
			if b.s.count("abort") == 0 {
				t.Error("the upload is not aborted")
			}
			if made := b.s.object("k") != nil; made == discard {
				t.Errorf("an object was made: %v, the file was discarded: %v", made, discard)
			}
			mustClose(t, f)
			b.end(t)
		})
	}
}
