package writeback

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"testing"
)

// random returns n bytes that depend on seed.
func random(n int, seed uint64) []byte {
	var key [32]byte
	key[0], key[1] = byte(seed), byte(seed>>8)
	p := make([]byte, n)
	_, _ = rand.NewChaCha8(key).Read(p)
	return p
}

func mustWrite(t tb, f *File, p []byte, off int64) {
	t.Helper()
	if n, err := f.WriteAt(context.Background(), p, off); n != len(p) || err != nil {
		t.Fatalf("WriteAt(%d bytes, %d): %d, %v", len(p), off, n, err)
	}
}

func mustCommit(t tb, f *File) Version {
	t.Helper()
	v, err := f.Commit(context.Background())
	if err != nil {
		t.Fatalf("Commit: %v", err)
	}
	return v
}

func mustClose(t tb, f *File) {
	t.Helper()
	if err := f.Close(context.Background()); err != nil {
		t.Fatalf("Close: %v", err)
	}
}

func content(t tb, f *File) []byte {
	t.Helper()
	p := make([]byte, f.Size())
	if n, err := f.ReadAt(context.Background(), p, 0); n != len(p) || err != nil && err != io.EOF {
		t.Fatalf("ReadAt(%d bytes): %d, %v", len(p), n, err)
	}
	return p
}

func sameContent(t tb, what string, got, want []byte) {
	t.Helper()
	if bytes.Equal(got, want) {
		return
	}
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			t.Fatalf("%s: byte %d of %d differs (want %d bytes)", what, i, len(got), len(want))
		}
	}
	t.Fatalf("%s: %d bytes, want %d", what, len(got), len(want))
}

func TestSmallFileIsOnePut(t *testing.T) {
	for _, n := range []int{0, 1, 4096, 300_000, 5 << 20} {
		b := newBench(t, t.TempDir(), 64<<20, nil)
		f := b.Open(OpenInput{Key: "k"})
		want := random(n, 1)
		for off := 0; off < n; off += 100_000 {
			mustWrite(t, f, want[off:min(n, off+100_000)], int64(off))
		}
		v := mustCommit(t, f)
		if v.Size != int64(n) || v.ETag == "" || v.Key != "k" {
			t.Errorf("version %+v", v)
		}
		mustCommit(t, f)
		mustClose(t, f)
		sameContent(t, "object", b.s.object("k"), want)
		if h := b.s.history(); h != "put" {
			t.Errorf("%d bytes took %q, want one put", n, h)
		}
		b.end(t)
	}
}

func TestStreamSendsPartsWhileWritten(t *testing.T) {
	b := newBench(t, t.TempDir(), 64<<20, nil)
	b.shrink(256<<10, 64<<10)
	f := b.Open(OpenInput{Key: "k"})
	want := random(1<<20+5, 2)
	for off := 0; off < len(want); off += 50_000 {
		mustWrite(t, f, want[off:min(len(want), off+50_000)], int64(off))
	}
	<-b.quiet()
	if n := b.s.count("part"); n != 4 {
		t.Errorf("%d parts were sent before the commit, want 4", n)
	}
	sameContent(t, "before the commit", content(t, f), want)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	if h := b.s.history(); h != "create part part part part part complete" {
		t.Errorf("calls: %s", h)
	}
	sameContent(t, "after the commit", content(t, f), want)
	mustClose(t, f)
	b.end(t)
}

func TestWriteIntoUploadedPart(t *testing.T) {
	b := newBench(t, t.TempDir(), 64<<20, nil)
	b.shrink(256<<10, 64<<10)
	f := b.Open(OpenInput{Key: "k"})
	want := random(1<<20, 3)
	mustWrite(t, f, want, 0)
	<-b.quiet()
	copy(want[300_000:], "changed")
	mustWrite(t, f, []byte("changed"), 300_000)
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	if n := b.s.count("part"); n != 5 {
		t.Errorf("%d parts were sent, want 5: one twice", n)
	}
	mustClose(t, f)
	b.end(t)
}
