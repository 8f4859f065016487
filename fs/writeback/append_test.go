package writeback

import (
	"context"
	"errors"
	"testing"
)

// TestLongAppendStreams checks that appended bytes are sent while they are written, behind copies of
// the base, and that the commit sends only the last part.
func TestLongAppendStreams(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	old, more := random(1_000_000, 1), random(500_000, 2)
	b.s.put("k", old)
	f := b.openKey("k")
	for off := 0; off < len(more); off += 10_000 {
		mustWrite(t, f, more[off:off+10_000], int64(len(old)+off))
	}
	f.awaitStream(t)
	b.s.mu.Lock()
	before := b.s.sent
	b.s.mu.Unlock()
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), append(append([]byte{}, old...), more...))
	b.s.mu.Lock()
	if last := b.s.sent - before; last >= 64<<10 {
		t.Errorf("the commit sent %d bytes, a part has %d", last, 64<<10)
	}
	if b.s.read != 0 || b.s.copied != int64(len(old)) {
		t.Errorf("%d bytes of the base were read, %d copied in the store, want 0 and %d", b.s.read, b.s.copied, len(old))
	}
	b.s.mu.Unlock()
	mustClose(t, f)
	b.end(t)
}

// TestShortBaseStreams checks that a file whose base is too short to be copied streams like a new file,
// with the base's bytes in the first part. A shell makes such a base when it redirects the output of a
// program.
func TestShortBaseStreams(t *testing.T) {
	more := random(500_000, 2)
	for name, c := range map[string]struct {
		base, cut int64
	}{
		"empty":     {0, 0},
		"short":     {1000, 1000},
		"truncated": {300_000, 0},
		"cut short": {300_000, 2000},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, t.TempDir(), 16<<20, nil)
			b.shrink(64<<10, 32<<10)
			old := random(int(c.base), 1)
			b.s.put("k", old)
			f := b.openKey("k")
			mustTruncate(t, f, c.cut)
			for off := 0; off < len(more); off += 10_000 {
				mustWrite(t, f, more[off:off+10_000], c.cut+int64(off))
			}
			if f.awaitStream(t); b.s.count("part") != 7 {
				t.Errorf("%d parts are sent before the commit, want 7", b.s.count("part"))
			}
			mustCommit(t, f)
			sameContent(t, "object", b.s.object("k"), append(old[:c.cut:c.cut], more...))
			if n := b.s.count("part"); n != 8 {
				t.Errorf("%d parts are sent, want 8", n)
			}
			mustClose(t, f)
			b.end(t)
		})
	}
}

// awaitStream waits until all full parts are sent.
func (f *File) awaitStream(t tb) {
	t.Helper()
	f.mu.Lock()
	s := f.stream
	f.mu.Unlock()
	if s == nil {
		t.Fatal("the file does not stream")
	}
	if err := f.waitParts(context.Background(), s); err != nil {
		t.Fatal(err)
	}
}

// TestShortBaseConflict checks that a stream over a short base is committed with the condition.
func TestShortBaseConflict(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	b.s.put("k", random(1000, 1))
	f := b.openKey("k")
	mustWrite(t, f, random(200_000, 2), 1000)
	f.awaitStream(t)
	theirs := random(10, 3)
	b.s.put("k", theirs)
	if _, err := f.Commit(context.Background()); !errors.Is(err, ErrConflict) {
		t.Errorf("commit over another's object gave %v, want a conflict", err)
	}
	sameContent(t, "object", b.s.object("k"), theirs)
	_ = f.Close(context.Background()) // the conflict was reported already
	b.end(t)
}

// TestStreamedAppendChanges changes a file during a streamed append: a write into the copied range, a
// truncation into it, and another writer of the object.
func TestStreamedAppendChanges(t *testing.T) {
	old, more := random(300_000, 1), random(200_000, 2)
	for name, change := range map[string]func(f *File, want []byte) []byte{
		"write before": func(f *File, want []byte) []byte {
			mustWrite(t, f, []byte("new"), 1000)
			copy(want[1000:], "new")
			return want
		},
		"truncate": func(f *File, want []byte) []byte {
			mustTruncate(t, f, 1000)
			return want[:1000]
		},
		"truncate the append": func(f *File, want []byte) []byte {
			mustTruncate(t, f, 400_000)
			return want[:400_000]
		},
		"hole": func(f *File, want []byte) []byte {
			if err := f.PunchHole(context.Background(), 5000, 100_000); err != nil {
				t.Fatal(err)
			}
			clear(want[5000:105_000])
			return want
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, t.TempDir(), 16<<20, nil)
			b.shrink(64<<10, 32<<10)
			b.s.put("k", old)
			f := b.openKey("k")
			mustWrite(t, f, more, int64(len(old)))
			want := change(f, append(append([]byte{}, old...), more...))
			mustCommit(t, f)
			sameContent(t, "object", b.s.object("k"), want)
			mustClose(t, f)
			b.end(t)
		})
	}
}

func mustTruncate(t tb, f *File, size int64) {
	t.Helper()
	if err := f.Truncate(context.Background(), size); err != nil {
		t.Fatal(err)
	}
}
