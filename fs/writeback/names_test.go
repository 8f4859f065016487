package writeback

import (
	"context"
	"errors"
	"testing"
)

func TestRenameAndRebase(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "old"})
	mustWrite(t, f, []byte("bytes"), 0)
	if err := f.Rename("k", true); err != nil {
		t.Fatal(err)
	}
	mustCommit(t, f)
	if b.s.object("old") != nil {
		t.Error("written under the old key")
	}
	if err := f.Rename("x", false); !errors.Is(err, ErrBound) {
		t.Errorf("rename of a committed file: %v, want ErrBound", err)
	}
	v := b.s.put("moved", []byte("bytes"))
	f.Rebase(v, &fakeReader{s: b.s, v: v})
	if f.Key() != "moved" || f.Version().ETag != v.ETag {
		t.Errorf("key %q, version %+v", f.Key(), f.Version())
	}
	mustWrite(t, f, []byte("B"), 0)
	mustCommit(t, f)
	sameContent(t, "moved object", b.s.object("moved"), []byte("Bytes"))
	sameContent(t, "object at the old place", b.s.object("k"), []byte("bytes"))
	mustClose(t, f)
	b.end(t)
}

// TestRebaseAfterEarlyCommit checks an early commit of newer bytes under the old key while the
// caller copied the older ones to the new key.
func TestRebaseAfterEarlyCommit(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "old"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustCommit(t, f)
	mustWrite(t, f, []byte("NEWER"), 0)
	if started, _ := b.commitEarly(); !started {
		t.Fatal("no early commit")
	}
	v := b.s.put("new", []byte("bytes"))
	f.Rebase(v, &fakeReader{s: b.s, v: v})
	sameContent(t, "file", content(t, f), []byte("NEWER"))
	if !f.Dirty() {
		t.Error("clean although the new key has older bytes")
	}
	mustCommit(t, f)
	sameContent(t, "new object", b.s.object("new"), []byte("NEWER"))
	mustClose(t, f)
	b.end(t)
}

// TestClone clones another object into a new file.
func TestClone(t *testing.T) {
	for _, size := range []int64{1000, 900_000} {
		b := newBench(t, t.TempDir(), 16<<20, nil)
		b.shrink(64<<10, 32<<10)
		want := random(int(size), 1)
		v := b.s.put("source", want)
		b.s.put("k", []byte("replaced, whatever it is"))
		f := b.Open(OpenInput{Key: "k"})
		for off := int64(0); off < size; off += size / 2 {
			if err := f.Clone(context.Background(), v, &fakeReader{s: b.s, v: v}, off, size/2); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Clone(context.Background(), v, &fakeReader{s: b.s, v: v}, size, 1); !errors.Is(err, ErrNoClone) {
			t.Errorf("past the end of the source: %v", err)
		}
		mustWrite(t, f, []byte("changed"), size/2)
		copy(want[size/2:], "changed")
		sameContent(t, "file", content(t, f), want)
		mustCommit(t, f)
		sameContent(t, "object", b.s.object("k"), want)
		if size > 64<<10 && b.s.copied < size/2 {
			t.Errorf("%d bytes were copied inside of the store, %d sent", b.s.copied, b.s.sent)
		}
		mustWrite(t, f, []byte("again"), 0)
		copy(want, "again")
		mustCommit(t, f)
		sameContent(t, "object", b.s.object("k"), want)
		mustClose(t, f)
		b.end(t)
	}
}

func TestRenameOfStream(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, random(100_000, 1), 0)
	if err := f.Rename("x", false); !errors.Is(err, ErrBound) {
		t.Errorf("rename of a streaming file: %v, want ErrBound", err)
	}
	mustClose(t, f)
	b.end(t)
}
