package writeback

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// gate blocks every call of op until it is opened.
type gate struct {
	op      string
	reached chan struct{} // receives one element per call
	open    chan struct{}
}

func newGate(op string) *gate {
	return &gate{op: op, reached: make(chan struct{}, 100), open: make(chan struct{})}
}

func (g *gate) hook(op, _ string) error {
	if op == g.op {
		g.reached <- struct{}{}
		<-g.open
	}
	return nil
}

func TestWriteDuringCommit(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("first bytes"), 0)
	var wg sync.WaitGroup
	wg.Go(func() { mustCommit(t, f) })
	<-g.reached
	mustWrite(t, f, []byte("FIRST"), 0)
	mustWrite(t, f, []byte("!"), 11) // into the room behind the frozen bytes
	if err := f.check(); err != nil {
		t.Error(err)
	}
	close(g.open)
	wg.Wait()
	sameContent(t, "object of the snapshot", b.s.object("k"), []byte("first bytes"))
	if !f.Dirty() {
		t.Error("I6: clean although there are newer bytes")
	}
	sameContent(t, "file", content(t, f), []byte("FIRST bytes!"))
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), []byte("FIRST bytes!"))
	mustClose(t, f)
	b.end(t)
}

func TestTruncateDuringCommit(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("first bytes"), 0)
	var wg sync.WaitGroup
	wg.Go(func() { mustCommit(t, f) })
	<-g.reached
	for _, size := range []int64{5, 11} { // bytes that were cut off must not return
		if err := f.Truncate(context.Background(), size); err != nil {
			t.Fatal(err)
		}
	}
	close(g.open)
	wg.Wait()
	want := []byte("first\x00\x00\x00\x00\x00\x00")
	sameContent(t, "file", content(t, f), want)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

// TestConcurrentUse runs writers, readers, commits and the spiller on one file. Each writer checks
// its own range.
func TestConcurrentUse(t *testing.T) {
	const writers, stretch, rounds = 4, 400_000, 60
	b := newBench(t, t.TempDir(), 1<<20, nil)
	b.shrink(128<<10, 32<<10)
	f := b.Open(OpenInput{Key: "k"})
	want := make([]byte, writers*stretch)
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			mine := want[w*stretch : (w+1)*stretch]
			start := int64(w * stretch)
			for i := range rounds {
				p := random(1+(i*7919)%60_000, uint64(w*rounds+i))
				off := (i * 104_729) % (stretch - len(p))
				copy(mine[off:], p)
				mustWrite(t, f, p, start+int64(off))
				got := make([]byte, len(p))
				if _, err := f.ReadAt(context.Background(), got, start+int64(off)); err != nil && err != io.EOF {
					t.Errorf("read: %v", err)
				}
				sameContent(t, "the bytes just written", got, p)
				if err := f.check(); err != nil {
					t.Error(err)
				}
				if i%10 == w {
					mustCommit(t, f)
				}
			}
		})
	}
	wg.Wait()
	want = want[:f.Size()]
	sameContent(t, "file", content(t, f), want)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

func TestCommitsCoalesce(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	var wg sync.WaitGroup
	for range 10 {
		wg.Go(func() { mustCommit(t, f) })
	}
	<-g.reached
	close(g.open)
	wg.Wait()
	if n := b.s.count("put"); n != 1 {
		t.Errorf("%d requests for ten commits of the same content", n)
	}
	mustClose(t, f)
	b.end(t)
}

func TestCancelledCommit(t *testing.T) {
	for _, fails := range []bool{false, true} {
		b := newBench(t, t.TempDir(), 16<<20, nil)
		g := newGate("put")
		b.s.hook(func(op, key string) error {
			_ = g.hook(op, key)
			if fails {
				return errFake
			}
			return nil
		}, nil)
		f := b.Open(OpenInput{Key: "k"})
		mustWrite(t, f, []byte("bytes"), 0)
		ctx, cancel := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() {
			if _, err := f.Commit(ctx); !errors.Is(err, context.Canceled) {
				t.Errorf("commit: %v, want the context's error", err)
			}
		})
		<-g.reached
		cancel()
		wg.Wait()
		close(g.open)
		<-b.quiet()
		if !fails {
			mustCommit(t, f) // adopts the result
			if n := b.s.count("put"); n != 1 {
				t.Errorf("%d requests, want one", n)
			}
		} else {
			if f.Err() == nil {
				t.Error("I5: the error of the upload was lost")
			}
			if _, err := f.WriteAt(context.Background(), []byte("x"), 0); !errors.Is(err, s3.ErrTransient) {
				t.Errorf("I5: write: %v, want the error of the upload", err)
			}
			b.s.hook(nil, nil)
			if _, err := f.Commit(context.Background()); !errors.Is(err, s3.ErrTransient) {
				t.Errorf("I7: commit without the write that failed: %v", err)
			}
			mustWrite(t, f, []byte("b"), 0)
			mustCommit(t, f)
		}
		sameContent(t, "object", b.s.object("k"), []byte("bytes"))
		mustClose(t, f)
		b.end(t)
	}
}

func TestStreamErrorIsReported(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	b.s.hook(func(op, key string) error {
		if op == "part" {
			return errFake
		}
		return nil
	}, nil)
	f := b.Open(OpenInput{Key: "k"})
	want := random(200_000, 1)
	mustWrite(t, f, want[:100_000], 0)
	<-b.quiet()
	if _, err := f.WriteAt(context.Background(), want[100_000:], 100_000); !errors.Is(err, s3.ErrTransient) {
		t.Errorf("I5: write: %v, want the error of the part", err)
	}
	mustWrite(t, f, want[100_000:], 100_000)
	b.s.hook(nil, nil)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

func TestDiscard(t *testing.T) {
	for _, size := range []int{100, 300_000} {
		b := newBench(t, t.TempDir(), 16<<20, nil)
		b.shrink(64<<10, 32<<10)
		f := b.Open(OpenInput{Key: "k"})
		want := random(size, 1)
		mustWrite(t, f, want, 0)
		f.Discard()
		f.Discard()
		sameContent(t, "discarded file", content(t, f), want)
		mustWrite(t, f, []byte("still writable"), 5)
		if v, err := f.Commit(context.Background()); err != nil || v.ETag != "" {
			t.Errorf("fsync of an unlinked file: %+v, %v", v, err)
		}
		if f.Dirty() {
			t.Error("a discarded file is dirty")
		}
		mustClose(t, f)
		b.end(t)
		if b.s.object("k") != nil {
			t.Error("a discarded file was written")
		}
	}
}

// TestDiscardDuringCommit checks that Discard waits for a request that makes the object, so that a
// later DELETE removes it, and that it ends other requests.
func TestDiscardDuringCommit(t *testing.T) {
	for _, op := range []string{"put", "complete", "part"} {
		b := newBench(t, t.TempDir(), 16<<20, nil)
		b.shrink(64<<10, 32<<10)
		b.s.put("k", random(200_000, 5))
		f := b.openKey("k")
		if op == "put" {
			mustWrite(t, f, random(100, 1), 0)
			if err := f.Truncate(context.Background(), 100); err != nil {
				t.Fatal(err)
			}
		} else {
			mustWrite(t, f, random(100, 1), 150_000)
		}
		g := newGate(op)
		b.s.hook(g.hook, nil)
		var wg sync.WaitGroup
		wg.Go(func() { _, _ = f.Commit(context.Background()) })
		<-g.reached
		discarded := make(chan struct{})
		wg.Go(func() {
			f.Discard()
			close(discarded)
		})
		select {
		case <-discarded:
			t.Errorf("discard did not wait for %s", op)
		default:
		}
		close(g.open)
		<-discarded
		wg.Wait()
		mustClose(t, f)
		b.end(t)
	}
}

// TestPropertiesOfCommit checks that a PUT has the properties that were set last, that a stream has the
// properties from its start, and that the version has the properties of the object.
func TestPropertiesOfCommit(t *testing.T) {
	for size, want := range map[int]string{10: "text/html", 200_000: "text/plain"} {
		b := newBench(t, t.TempDir(), 16<<20, nil)
		b.shrink(64<<10, 32<<10)
		f := b.Open(OpenInput{Key: "k", Object: s3.ObjectOptions{ContentType: "text/plain"}})
		p := random(size, 1)
		mustWrite(t, f, p, 0)
		f.SetObject(s3.ObjectOptions{ContentType: "text/html"})
		v := mustCommit(t, f)
		if got := b.s.objects["k"].opts.ContentType; got != want || v.Object.ContentType != want {
			t.Errorf("%d bytes: content type %q, the version says %q", size, got, v.Object.ContentType)
		}
		sameContent(t, "object", b.s.object("k"), p)
		f.SetObject(s3.ObjectOptions{})
		if f.Dirty() {
			t.Error("properties made the file dirty")
		}
		mustClose(t, f)
		b.end(t)
	}
}

// TestCloseInBackground checks that the commit continues when the context of Close ends.
func TestCloseInBackground(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := f.Close(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("close: %v", err)
	}
	close(g.open)
	b.end(t)
	sameContent(t, "object", b.s.object("k"), []byte("bytes"))
}

func TestDrainCommits(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	var files []*File
	for _, key := range []string{"a", "b", "c"} {
		f := b.Open(OpenInput{Key: key})
		mustWrite(t, f, []byte(key), 0)
		files = append(files, f)
	}
	if err := b.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		sameContent(t, "object", b.s.object(f.Key()), []byte(f.Key()))
		mustClose(t, f)
	}
	b.end(t)
}

func TestClosedFile(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustClose(t, f)
	ctx := context.Background()
	_, write := f.WriteAt(ctx, []byte("x"), 0)
	_, read := f.ReadAt(ctx, make([]byte, 1), 0)
	_, commit := f.Commit(ctx)
	for _, err := range []error{write, read, commit, f.Close(ctx)} {
		if !errors.Is(err, ErrClosed) {
			t.Errorf("after close: %v", err)
		}
	}
	b.end(t)
}

func TestHoles(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.s.put("k", random(100, 1))
	f := b.openKey("k")
	if err := f.PunchHole(ctx, 20, 10); err != nil {
		t.Fatal(err)
	}
	if err := f.Allocate(ctx, 0, 50); err != nil || f.Size() != 100 {
		t.Fatalf("allocate inside of the file: %v, size %d", err, f.Size())
	}
	if err := f.Allocate(ctx, 150, 150); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, []byte("data"), 200)
	for _, c := range []struct{ off, data, hole int64 }{
		{0, 0, 20}, {20, 30, 20}, {25, 30, 25}, {30, 30, 100}, {99, 99, 100}, {100, 200, 100},
		{150, 200, 150}, {200, 200, 204}, {203, 203, 204}, {204, -1, 204}, {299, -1, 299}, {300, -1, -1}, {-1, -1, -1},
	} {
		data, err := f.SeekData(c.off)
		if data != max(c.data, 0) || errors.Is(err, ErrNoData) != (c.data < 0) {
			t.Errorf("SeekData(%d) = %d, %v; want %d", c.off, data, err, c.data)
		}
		hole, err := f.SeekHole(c.off)
		if hole != max(c.hole, 0) || errors.Is(err, ErrNoData) != (c.hole < 0) {
			t.Errorf("SeekHole(%d) = %d, %v; want %d", c.off, hole, err, c.hole)
		}
	}
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), content(t, f))
	mustClose(t, f)
	b.end(t)
}

func TestTooLarge(t *testing.T) {
	ctx := context.Background()
	b := newBench(t, t.TempDir(), 16<<20, func(o *Options) { o.maxSize = 1000 })
	f := b.Open(OpenInput{Key: "k"})
	_, write := f.WriteAt(ctx, make([]byte, 2), 999)
	_, negative := f.WriteAt(ctx, make([]byte, 2), -5)
	for _, err := range []error{write, negative, f.Truncate(ctx, 1001), f.Truncate(ctx, -1),
		f.Allocate(ctx, 900, 101), f.PunchHole(ctx, 1000, 1)} {
		if !errors.Is(err, ErrTooLarge) {
			t.Errorf("past the limit: %v", err)
		}
	}
	mustWrite(t, f, make([]byte, 1000), 0)
	mustClose(t, f)
	b.end(t)
}

func TestAbortOrphans(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	f := b.Open(OpenInput{Key: "k"})
	// A full disk has taken half a line before.
	if _, err := b.notes.file.WriteString(`{"bucket":"b","ke`); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, f, random(100_000, 1), 0)
	<-b.quiet()
	done := b.Open(OpenInput{Key: "done"})
	mustWrite(t, done, random(100_000, 1), 0)
	mustClose(t, done)

	// Another mount with the same state directory does not touch the uploads of a living mount.
	other, err := New(b.s, b.pool, b.o)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := other.AbortOrphans(context.Background()); n != 0 || err != nil {
		t.Errorf("aborted %d uploads of a living mount, %v", n, err)
	}
	_ = b.notes.file.Close() // the first process dies
	if n, err := other.AbortOrphans(context.Background()); n != 1 || err != nil {
		t.Errorf("aborted %d uploads of a dead mount, want 1; %v", n, err)
	}
	if len(b.s.uploads) != 0 {
		t.Error("the upload is still there")
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(dir + "/state"); len(left) != 0 {
		t.Errorf("%v is left in the state directory", left)
	}
}

func TestOptions(t *testing.T) {
	good := func() Options {
		o := Defaults()
		o.Bucket, o.SpoolDir, o.RecoveryDir = "b", "/s", "/r"
		o.OpenBase = func(Version) BaseReader { return nil }
		return o
	}
	if err := good().Validate(); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*Options){
		"Bucket": func(o *Options) { o.Bucket = "" }, "PartSize": func(o *Options) { o.PartSize = 1 },
		"Connections": func(o *Options) { o.Connections = 0 },
		"SpoolDir":    func(o *Options) { o.SpoolDir = "s" },
		"RecoveryDir": func(o *Options) { o.RecoveryDir = "" }, "StateDir": func(o *Options) { o.StateDir = "s" },
		"Conflict": func(o *Options) { o.Conflict = "" },
		"OpenBase": func(o *Options) { o.OpenBase = nil }, "Logger": func(o *Options) { o.Logger = nil },
	} {
		o := good()
		spoil(&o)
		if err := o.Validate(); err == nil || !strings.HasPrefix(err.Error(), "option "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
