package writeback

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"testing"
	"testing/synctest"
)

// TestReplayInOrder checks that a file that was closed twice is replayed at the place of its last
// record, before later changes.
func TestReplayInOrder(t *testing.T) {
	dir := t.TempDir()
	j, err := newJournal(dir+"/journal", 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	put := func(file, seq uint64) {
		t.Helper()
		r := &record{Kind: recordFile, File: file, Seq: seq, Bucket: "b", Key: []byte(fmt.Sprint(file))}
		if err := j.put(t.Context(), r, nil); err != nil {
			t.Fatal(err)
		}
	}
	put(1, 1)
	put(2, 1)
	for file := uint64(3); file < 20; file += 2 {
		put(1, file)
		put(2, file)
		put(file, 1)
		put(file+1, 1)
	}
	want := []string{}
	for file := 3; file < 19; file++ {
		want = append(want, fmt.Sprint(file))
	}
	want = append(want, "1", "2", "19", "20")
	b := newBench(t, dir, 16<<20, withJournal(dir))
	all, err := b.readJournal(j.dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, l := range all.left {
		got = append(got, string(l.Key))
	}
	if !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
	if err := j.close(); err != nil {
		t.Error(err)
	}
	b.end(t)
}

// TestReplayOfHoles checks that an object with the written bytes but without the holes of a record
// does not count as the content of the record.
func TestReplayOfHoles(t *testing.T) {
	old := random(5000, 1)
	for name, c := range map[string]struct {
		based bool // based on an earlier content in S3 without a done record
		write int  // bytes that equal the object
		hole  span
	}{
		"emptied and grown": {hole: span{0, 5000}},
		"hole at the end":   {write: 10, hole: span{10, 5000}},
		"hole punched":      {based: true, write: 10, hole: span{100, 150}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBench(t, dir, 16<<20, withJournal(dir))
			g := newGate("put")
			in := OpenInput{Key: "k", Replaces: b.s.put("k", old).ETag}
			if c.based {
				v := b.s.put("k", random(5000, 2))
				in = OpenInput{Key: "k", Base: &v, Reader: &fakeReader{s: b.s, v: v}}
			}
			b.s.hook(g.hook, nil)
			f := b.Open(in)
			f.journal.id = b.journal.newFile()
			if c.based { // delayed, as by a linger
				mustWrite(t, f, old, 0)
				r, data, _, err := f.nextRecord()
				if err == nil {
					err = b.journal.put(t.Context(), r, data.reader())
				}
				if err != nil {
					t.Fatal(err)
				}
				data.free()
				if err := f.PunchHole(t.Context(), c.hole.off, c.hole.len()); err != nil {
					t.Fatal(err)
				}
			} else {
				mustWrite(t, f, old[:c.write], 0)
				mustTruncate(t, f, 5000)
			}
			mustPersist(t, f)
			want := content(t, f)
			if !allZero(want[c.hole.off:c.hole.end]) {
				t.Fatal("no hole")
			}
			after := b.crash(t, t.TempDir())
			after.s.put("k", old)
			mustReplay(t, after, 1)
			sameContent(t, "the object", after.s.object("k"), want)
			after.end(t)
			close(g.open)
			mustClose(t, f)
			b.end(t)
		})
	}
}

// TestReplayCannotKeep checks that content that conflicts and cannot be saved stays in the journal.
func TestReplayCannotKeep(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k", Exclusive: true})
	mustWrite(t, f, []byte("ours"), 0)
	mustPersist(t, f)
	dir2 := t.TempDir()
	after := b.crash(t, dir2)
	after.s.put("k", []byte("theirs"))
	if err := os.WriteFile(dir2+"/recovery", nil, 0o600); err != nil { // a file where a directory must be
		t.Fatal(err)
	}
	if _, err := after.Replay(t.Context(), noChanges); err == nil {
		t.Error("replayed although the bytes are kept nowhere")
	}
	if err := os.Remove(dir2 + "/recovery"); err != nil {
		t.Fatal(err)
	}
	mustReplay(t, after, 1)
	sameContent(t, "recovery file", recovered(t, dir2), []byte("ours"))
	sameContent(t, "their object", after.s.object("k"), []byte("theirs"))
	after.end(t)
	close(g.open)
	mustClose(t, f)
	b.end(t)
}

// TestReplayNotTwice checks that records that were carried out are not repeated when the journal
// stays because of another record.
func TestReplayNotTwice(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "file"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustPersist(t, f)
	for _, key := range []string{"works", "fails"} {
		if _, err := b.JournalChange(Change{Kind: ChangeAttr, Key: key}); err != nil {
			t.Fatal(err)
		}
	}
	after := b.crash(t, t.TempDir())
	bad := errors.New("not yet")
	var done []string
	apply := func(_ context.Context, c Change) error {
		if c.Key == "fails" && bad != nil {
			return bad
		}
		done = append(done, c.Key)
		return nil
	}
	if n, err := after.Replay(t.Context(), apply); n != 2 || !errors.Is(err, bad) {
		t.Errorf("replayed %d, %v", n, err)
	}
	after.s.put("file", []byte("written since"))
	bad = nil
	if n, err := after.Replay(t.Context(), apply); n != 1 || err != nil {
		t.Errorf("replayed %d, %v; want 1", n, err)
	}
	if !slices.Equal(done, []string{"works", "fails"}) {
		t.Errorf("carried out: %v", done)
	}
	sameContent(t, "object", after.s.object("file"), []byte("written since"))
	after.end(t)
	close(g.open)
	mustClose(t, f)
	b.end(t)
}

// TestReplayOfAnotherBucket checks that only a mount that can replay a journal deletes it.
func TestReplayOfAnotherBucket(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustPersist(t, f)
	after := b.crash(t, t.TempDir())
	after.o.Bucket = "other"
	if n, err := after.Replay(t.Context(), noChanges); n != 0 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	after.o.Bucket = "b"
	mustReplay(t, after, 1)
	sameContent(t, "object", after.s.object("k"), []byte("bytes"))
	after.end(t)
	close(g.open)
	mustClose(t, f)
	b.end(t)
}

// TestReplayWithoutSpace checks that a full spool does not commit a file that is being restored (I7).
func TestReplayWithoutSpace(t *testing.T) {
	dir, dir2 := t.TempDir(), t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, dir, 16<<20, withJournal(dir))
		g := newGate("put")
		b.s.hook(g.hook, nil)
		old := random(9<<20, 1)
		b.s.put("k", old)
		b.limits.part = 16 << 20
		f := b.openKey("k")
		want := random(9<<20, 2)
		mustWrite(t, f, want, 0)
		mustPersist(t, f)
		after := b.crash(t, dir2)
		after.budget.Force(15 << 20) // others hold the memory
		after.spool.limit = 0
		if _, err := after.Replay(t.Context(), noChanges); !errors.Is(err, ErrNoSpace) {
			t.Errorf("replay without room: %v, want ErrNoSpace", err)
		}
		sameContent(t, "object", after.s.object("k"), old)
		after.budget.Release(15 << 20)
		mustReplay(t, after, 1)
		sameContent(t, "object", after.s.object("k"), want)
		after.end(t)
		close(g.open)
		mustClose(t, f)
		b.end(t)
	})
}
