package writeback

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"
)

const testLinger = 100 * time.Millisecond

func withLinger(dir string) func(*Options) {
	return func(o *Options) {
		o.JournalDir, o.Journal, o.Linger = dir+"/journal", true, testLinger
	}
}

// persisted returns a file that is in the journal.
func (b *bench) persisted(t tb, key, data string) *File {
	t.Helper()
	f := b.Open(OpenInput{Key: key})
	mustWrite(t, f, []byte(data), 0)
	mustPersist(t, f)
	return f
}

// TestLingerTime checks that a file is committed when no other file was closed for a while, or when
// it has waited for a long time. A large file does not wait.
func TestLingerTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, t.TempDir(), 16<<20, withLinger(t.TempDir()))
		start := time.Now()
		var files []*File
		for i := range 2 * lingerTimes { // one in each half of the interval
			files = append(files, b.persisted(t, fmt.Sprint(i), "text"))
			time.Sleep(testLinger / 2)
		}
		large := b.persisted(t, "large", string(make([]byte, lingerMost+1)))
		if large.linger != nil {
			t.Error("a large file lingers")
		}
		files[0].Linger(t.Context())
		if took := time.Since(start); took != lingerTimes*testLinger {
			t.Errorf("the first file lingered for %v among others, want %v", took, lingerTimes*testLinger)
		}
		last, quiet := files[len(files)-1], time.Now()
		last.Linger(t.Context())
		if took := time.Since(quiet); took != testLinger {
			t.Errorf("the last file lingered for %v after the end of all, want %v", took, testLinger)
		}
		for _, f := range append(files, large) {
			mustClose(t, f)
		}
		b.end(t)
	})
}

// TestLingerOfRewrittenFile checks that a partial change is not committed, except by an explicit Commit.
func TestLingerOfRewrittenFile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, t.TempDir(), 16<<20, withLinger(t.TempDir()))
		f := b.persisted(t, "k", "old")
		if err := f.Truncate(t.Context(), 0); err != nil {
			t.Fatal(err)
		}
		time.Sleep(100 * lingerTimes * testLinger)
		if b.s.object("k") != nil {
			t.Error("a truncated file was committed before it was closed")
		}
		mustWrite(t, f, []byte("new"), 0)
		mustPersist(t, f)
		f.Linger(t.Context())
		synctest.Wait()
		sameContent(t, "k", b.s.object("k"), []byte("new"))
		f.Hurry() // does nothing
		mustClose(t, f)

		g := b.persisted(t, "g", "one")
		g.Hurry()
		synctest.Wait()
		sameContent(t, "g", b.s.object("g"), []byte("one"))
		mustClose(t, g)
		b.end(t)
	})
}

// TestReplaceCrash checks that a file replaces a lingering file atomically: after a crash at any
// time one of both exists.
func TestReplaceCrash(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, func(o *Options) { o.JournalDir, o.Journal, o.Linger = dir+"/journal", true, time.Hour })
	old := b.persisted(t, "k", "old")
	first := b.persisted(t, "k.lock", "first")
	check := func(when, k, lock string) {
		t.Helper()
		after := b.crash(t, t.TempDir())
		if _, err := after.Replay(context.Background(), noChanges); err != nil {
			t.Fatal(err)
		}
		for key, want := range map[string]string{"k": k, "k.lock": lock} {
			if got := string(after.s.object(key)); got != want {
				t.Errorf("%s: %q holds %q, want %q", when, key, got, want)
			}
		}
		after.end(t)
	}
	check("before", "old", "first")
	if err := first.Replace(old, "k"); err != nil {
		t.Fatal(err)
	}
	check("renamed in memory", "old", "first")
	mustPersist(t, first)
	check("renamed", "first", "")
	second := b.persisted(t, "k.lock", "second")
	if err := second.Replace(first, "k"); err != nil {
		t.Fatal(err)
	}
	mustPersist(t, second)
	check("renamed again", "second", "")
	if st := b.Stats(); st.Queued != 1 {
		t.Errorf("%d files are in the queue, want 1", st.Queued)
	}
	// Even with a full journal, the replaced file stays until S3 has its replacement.
	limit, g := b.journal.limit, newGate("put")
	b.journal.limit = 0
	b.s.hook(g.hook, nil)
	full := b.Open(OpenInput{Key: "k.lock"})
	mustWrite(t, full, []byte("full"), 0)
	if err := full.Replace(second, "k"); err != nil {
		t.Fatal(err)
	}
	persisted := make(chan error, 1)
	go func() { persisted <- full.Persist(context.Background()) }()
	<-g.reached
	check("on its way", "second", "")
	close(g.open)
	if err := <-persisted; err != nil {
		t.Fatal(err)
	}
	check("in S3", "full", "")
	b.journal.limit = limit
	b.s.mu.Lock()
	delete(b.s.objects, "k")
	b.s.mu.Unlock()
	// A commit ends the records of the replaced files if no record did.
	replaced := second
	second = b.persisted(t, "k", "second")
	third := b.persisted(t, "k.lock", "third")
	if err := third.Replace(second, "k"); err != nil {
		t.Fatal(err)
	}
	if _, err := third.Commit(context.Background()); err != nil {
		t.Fatal(err)
	}
	check("committed", "third", "")
	if st := b.Stats(); st.Queued != 0 {
		t.Errorf("%d files are in the queue, want 0", st.Queued)
	}
	for _, f := range []*File{old, first, replaced, full, second, third} {
		mustClose(t, f)
	}
	b.end(t)
}
