package writeback

import (
	"errors"
	"os"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// loseAnswers makes S3 execute every PUT without an answer, and answer no HEAD.
func (b *bench) loseAnswers() {
	b.s.hook(func(op, _ string) error {
		if op == "head" {
			return errFake
		}
		return nil
	}, func(op, _ string) error {
		if op == "put" {
			return errFake
		}
		return nil
	})
}

// TestReplayKnowsAttempts checks that the replay of a record builds on the object of an earlier
// commit that got no answer, and whose content the journal does not have. The object of another client
// stays.
func TestReplayKnowsAttempts(t *testing.T) {
	for name, c := range map[string]struct{ based, foreign bool }{
		"a change":                        {based: true},
		"a replacement":                   {},
		"a change, another client":        {based: true, foreign: true},
		"a replacement by another client": {foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir, dir2 := t.TempDir(), t.TempDir()
			b := newBench(t, dir, 16<<20, withJournal(dir))
			saved := b.s.put("k", []byte("the saved text"))
			in := OpenInput{Key: "k", Replaces: saved.ETag}
			if c.based {
				in = OpenInput{Key: "k", Base: &saved, Reader: &fakeReader{s: b.s, v: saved}}
			}
			f := b.Open(in)
			mustWrite(t, f, []byte("first"), 0)
			b.loseAnswers()
			if _, err := f.Commit(t.Context()); !errors.Is(err, s3.ErrTransient) {
				t.Fatalf("commit without an answer: %v", err)
			}
			g := newGate("put")
			b.s.hook(g.hook, nil)
			mustWrite(t, f, []byte("second"), 6)
			mustPersist(t, f)
			want := []byte("first\x00second")
			if c.based {
				want = []byte("firstasecondxt")
			}
			after := b.crash(t, dir2)
			if c.foreign {
				want = []byte("theirs")
				after.s.put("k", want)
			}
			after.s.objects["k"].modified = time.Now()
			mustReplay(t, after, 1)
			sameContent(t, "k", after.s.object("k"), want)
			if left, _ := os.ReadDir(dir2 + "/recovery"); len(left) > 0 != c.foreign {
				t.Errorf("kept in the recovery directory: %v", left)
			}
			after.end(t)
			close(g.open)
			mustClose(t, f)
			b.end(t)
		})
	}
}

// TestRenameAfterLostAnswer checks that a file whose object may be under the old key is not renamed
// without a copy.
func TestRenameAfterLostAnswer(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	f := b.Open(OpenInput{Key: "old"})
	mustWrite(t, f, []byte("bytes"), 0)
	b.loseAnswers()
	if _, err := f.Commit(t.Context()); !errors.Is(err, s3.ErrTransient) {
		t.Fatalf("commit without an answer: %v", err)
	}
	if err := f.Rename("new", false); !errors.Is(err, ErrBound) {
		t.Errorf("rename: %v, want ErrBound", err)
	}
	b.s.hook(nil, nil)
	mustClose(t, f)
	sameContent(t, "old", b.s.object("old"), []byte("bytes"))
	b.end(t)
}

// TestCommitEndsRemovals checks that a removal is not replayed after a later content of its key has
// reached S3, although its own end was not recorded.
func TestCommitEndsRemovals(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	remove := func() {
		t.Helper()
		if _, err := b.JournalChange(Change{Kind: ChangeRemove, Key: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	remove()
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustPersist(t, f)
	mustCommit(t, f)
	found, err := b.readJournal(b.journal.dir)
	if err != nil || len(found.left) != 0 {
		t.Errorf("not done: %+v, %v", found.left, err)
	}
	remove() // of the new content
	if found, err = b.readJournal(b.journal.dir); err != nil || len(found.left) != 1 {
		t.Errorf("not done: %+v, %v; want the second removal", found.left, err)
	}
	mustClose(t, f)
	b.end(t)
}
