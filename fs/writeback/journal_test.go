package writeback

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/s3"
)

func withJournal(dir string) func(*Options) {
	return func(o *Options) { o.JournalDir, o.Journal = dir+"/journal", true }
}

// crash returns the state that a mount finds after a kill -9: a copy of the journal, and then a
// copy of the bucket.
func (b *bench) crash(t tb, dir string) *bench {
	t.Helper()
	if err := os.CopyFS(dir+"/journal", os.DirFS(b.o.JournalDir)); err != nil {
		t.Fatal(err)
	}
	after := newBench(t, dir, 16<<20, withJournal(dir))
	after.limits = b.limits
	after.s.minPart = b.s.minPart
	b.s.mu.Lock()
	defer b.s.mu.Unlock()
	after.s.objects = maps.Clone(b.s.objects)
	return after
}

// noChanges is for journals that only hold the contents of files.
func noChanges(_ context.Context, c Change) error {
	return fmt.Errorf("a change of %q in a journal that holds none", c.Key)
}

func mustReplay(t tb, b *bench, want int) {
	t.Helper()
	n, err := b.Replay(context.Background(), noChanges)
	if err != nil || n != want {
		t.Fatalf("replayed %d files, %v; want %d", n, err, want)
	}
	if left, _ := filepath.Glob(b.o.JournalDir + "/" + mountPattern); len(left) != 1 { // the journal of this mount
		t.Errorf("journals after the replay: %v", left)
	}
}

func mustPersist(t tb, f *File) {
	t.Helper()
	if err := f.Persist(context.Background()); err != nil {
		t.Fatalf("persist: %v", err)
	}
}

func TestPersistThenCrash(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	old := random(5000, 1)
	b.s.put("changed", old)
	b.s.put("replaced", old)
	b.s.hook(g.hook, nil)

	created := b.Open(OpenInput{Key: "created", Exclusive: true, Object: s3.ObjectOptions{Metadata: map[string]string{"mode": "33188"}}})
	mustWrite(t, created, random(300_000, 2), 0)
	empty := b.Open(OpenInput{Key: "empty \xff"}) // not UTF-8
	changed := b.openKey("changed")
	mustWrite(t, changed, []byte("new"), 100)
	if err := errors.Join(changed.Truncate(context.Background(), 4000), changed.Truncate(context.Background(), 6000),
		changed.PunchHole(context.Background(), 50, 20)); err != nil {
		t.Fatal(err)
	}
	replaced := b.Open(OpenInput{Key: "replaced"})
	mustWrite(t, replaced, []byte("short"), 0)
	files := []*File{created, empty, changed, replaced}
	for _, f := range files {
		mustPersist(t, f)
		mustPersist(t, f) // nothing new
	}
	if st := b.Stats(); st.Queued != 4 || st.QueuedBytes != 300_000+3+5 || st.QueuedSince.IsZero() {
		t.Errorf("queue: %+v", st)
	}
	want := map[string][]byte{}
	for _, f := range files {
		want[f.Key()] = content(t, f)
	}

	// A second mount does not touch the journal of the living mount.
	beside, err := New(b.s, b.pool, b.o)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := beside.Replay(context.Background(), noChanges); n != 0 || err != nil {
		t.Errorf("replayed %d files of a living mount, %v", n, err)
	}
	if err := beside.Close(); err != nil {
		t.Error(err)
	}

	after := b.crash(t, t.TempDir())
	mustReplay(t, after, 4)
	for key, p := range want {
		sameContent(t, "replayed "+key, after.s.object(key), p)
	}
	if mode := after.s.objects["created"].opts.Metadata["mode"]; mode != "33188" {
		t.Errorf("properties were lost: mode %q", mode)
	}
	mustReplay(t, after, 0)
	after.end(t)

	// The living mount continues.
	close(g.open)
	for _, f := range files {
		mustClose(t, f)
		sameContent(t, f.Key(), b.s.object(f.Key()), want[f.Key()])
	}
	<-b.quiet()
	if st := b.Stats(); st.Queued != 0 || st.QueuedBytes != 0 {
		t.Errorf("queue at the end: %+v", st)
	}
	b.end(t)
	if left, _ := os.ReadDir(dir + "/journal"); len(left) != 0 {
		t.Errorf("%v is left of the journal", left)
	}
}

// TestReplayAfterCommit checks a journal whose content is in S3, without a done record.
func TestReplayAfterCommit(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	b.s.put("changed", random(5000, 1))
	changed, created := b.openKey("changed"), b.Open(OpenInput{Key: "created", Exclusive: true})
	mustWrite(t, changed, []byte("new"), 100)
	mustWrite(t, created, []byte("new"), 0)
	g := newGate("put")
	b.s.hook(nil, g.hook)
	mustPersist(t, changed)
	mustPersist(t, created)
	<-g.reached
	<-g.reached // both are written, but not recorded
	dir2 := t.TempDir()
	after := b.crash(t, dir2)
	mustReplay(t, after, 2)
	for _, key := range []string{"changed", "created"} {
		sameContent(t, key, after.s.object(key), b.s.object(key))
	}
	if n := after.s.count("put"); n != 0 {
		t.Errorf("%d objects were written again", n)
	}
	if left, _ := os.ReadDir(dir2 + "/recovery"); len(left) != 0 {
		t.Error("a conflict with ourselves")
	}
	after.end(t)
	close(g.open)
	mustClose(t, changed)
	mustClose(t, created)
	b.end(t)
}

// TestReplayConflict checks an object that another client wrote while the mount was dead.
func TestReplayConflict(t *testing.T) {
	for _, base := range []bool{false, true} {
		dir := t.TempDir()
		b := newBench(t, dir, 16<<20, withJournal(dir))
		g := newGate("put")
		b.s.hook(g.hook, nil)
		open := func() *File { return b.Open(OpenInput{Key: "k"}) }
		if base {
			b.s.put("k", random(3, 1))
			open = func() *File { return b.openKey("k") }
		}
		f := open()
		mustWrite(t, f, []byte("ours"), 0)
		mustPersist(t, f)
		dir2 := t.TempDir()
		after := b.crash(t, dir2)
		after.s.put("k", []byte("theirs"))
		after.s.objects["k"].modified = time.Now().Add(time.Hour)
		mustReplay(t, after, 1)
		sameContent(t, "their object", after.s.object("k"), []byte("theirs"))
		sameContent(t, "recovery file", recovered(t, dir2), []byte("ours"))
		after.end(t)
		close(g.open)
		mustClose(t, f)
		b.end(t)
	}
}

func TestJournalOfDiscardedAndRenamed(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	b.s.hook(func(op, key string) error {
		if op == "put" {
			return errFake
		}
		return nil
	}, nil)
	gone, moved := b.Open(OpenInput{Key: "gone"}), b.Open(OpenInput{Key: "old"})
	for _, f := range []*File{gone, moved} {
		mustWrite(t, f, []byte("bytes"), 0)
		mustPersist(t, f)
	}
	<-b.quiet()
	gone.Discard()
	if moved.Err() == nil {
		t.Error("I5: the error of the upload was lost")
	}
	_, _ = moved.Commit(context.Background()) // reports it
	if err := moved.Rename("new", false); err != nil {
		t.Fatal(err)
	}
	mustPersist(t, moved)
	after := b.crash(t, t.TempDir())
	mustReplay(t, after, 1)
	if len(after.s.objects) != 1 {
		t.Errorf("%d objects, want one", len(after.s.objects))
	}
	sameContent(t, "renamed", after.s.object("new"), []byte("bytes"))
	after.end(t)
	b.s.hook(nil, nil)
	<-b.quiet()
	mustClose(t, gone)
	mustClose(t, moved)
	b.end(t)
}

// TestReplayLater checks that a replay fails and is repeated when S3 does not answer at the first start.
func TestReplayLater(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	b.s.hook(g.hook, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustPersist(t, f)
	dir2 := t.TempDir()
	after := b.crash(t, dir2)
	after.s.hook(func(op, key string) error { return errFake }, nil)
	if _, err := after.Replay(context.Background(), noChanges); !errors.Is(err, s3.ErrTransient) {
		t.Errorf("replay without S3: %v", err)
	}
	after.s.hook(nil, nil)
	mustReplay(t, after, 1)
	sameContent(t, "object", after.s.object("k"), []byte("bytes"))
	if left, _ := os.ReadDir(dir2 + "/recovery"); len(left) != 0 {
		t.Error("a recovery file although the journal had the bytes")
	}
	after.end(t)
	close(g.open)
	mustClose(t, f)
	b.end(t)
}

// TestFullJournal checks that the close waits for S3 if the journal is full or broken.
func TestFullJournal(t *testing.T) {
	for _, spoil := range []func(*bench){
		func(b *bench) { b.journal.limit = 10 },
		func(b *bench) { _ = os.RemoveAll(b.journal.dir) },
	} {
		dir := t.TempDir()
		b := newBench(t, dir, 16<<20, withJournal(dir))
		spoil(b)
		f := b.Open(OpenInput{Key: "k"})
		mustWrite(t, f, random(1000, 1), 0)
		mustPersist(t, f)
		sameContent(t, "object", b.s.object("k"), random(1000, 1))
		mustClose(t, f)
		b.end(t)
	}
}

// TestCloseLeavesToJournal checks that the journal keeps acknowledged content when a close fails for a
// passing reason, and that the next mount commits it.
func TestCloseLeavesToJournal(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	b.s.hook(func(op, key string) error { return errFake }, nil)
	f := b.Open(OpenInput{Key: "k"})
	mustWrite(t, f, []byte("bytes"), 0)
	mustPersist(t, f)
	if err := f.Close(context.Background()); !errors.Is(err, s3.ErrTransient) {
		t.Errorf("close: %v", err)
	}
	if k := b.Kept(); k.Files != 0 {
		t.Errorf("kept although the journal has it: %+v", k)
	}
	b.end(t)
	after := b.crash(t, t.TempDir())
	mustReplay(t, after, 1)
	sameContent(t, "object", after.s.object("k"), []byte("bytes"))
	after.end(t)
}

// TestSegments checks that old segments are deleted when all their records are done.
func TestSegments(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	b.journal.size = 1 << 20
	g := newGate("put")
	b.s.hook(func(op, key string) error {
		if key == "held" {
			return g.hook(op, key)
		}
		return nil
	}, nil)
	first := b.Open(OpenInput{Key: "held"})
	mustWrite(t, first, []byte("bytes"), 0)
	mustPersist(t, first)
	<-g.reached
	for i := range 8 {
		f := b.Open(OpenInput{Key: fmt.Sprint(i)})
		mustWrite(t, f, random(400_000, 1), 0)
		mustPersist(t, f)
		mustClose(t, f)
	}
	segments := func() int {
		all, _ := filepath.Glob(b.journal.dir + "/*.journal")
		return len(all)
	}
	if n := segments(); n < 2 {
		t.Errorf("%d segments while the first is needed", n)
	}
	close(g.open)
	mustClose(t, first)
	<-b.quiet()
	if n := segments(); n != 1 {
		t.Errorf("%d segments although nothing is needed", n)
	}
	b.end(t)
}

// TestTornJournal cuts and damages a journal everywhere. A reader must return the written records
// or nothing.
func TestTornJournal(t *testing.T) {
	var whole bytes.Buffer
	var ends []int
	for i := range 3 {
		p := random(10*i, uint64(i))
		r := &record{Kind: recordFile, File: uint64(i), Key: fmt.Append(nil, "k", i), Size: int64(len(p)),
			Extents: []recordExtent{{Off: 0, N: int64(len(p))}, {Off: 100, N: 5, Zero: true}}}
		head, err := r.encodeHead()
		if err != nil {
			t.Fatal(err)
		}
		f, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := appendRecord(f, 0, head, bytes.NewReader(p)); err != nil {
			t.Fatal(err)
		}
		b, _ := os.ReadFile(f.Name())
		_ = f.Close()
		whole.Write(b)
		ends = append(ends, whole.Len())
	}
	scan := func(p []byte) (good int, err error) {
		err = scanRecords(bytes.NewReader(p), func(s scanned, bad error) {
			if bad != nil {
				return
			}
			want := random(int(s.Size), s.File)
			if string(s.Key) != fmt.Sprint("k", s.File) || !bytes.Equal(p[s.at:s.at+s.Size], want) {
				t.Fatalf("read a record that was not written: %+v", s)
			}
			good++
		})
		return good, err
	}
	for n := range whole.Len() + 1 {
		want := 0
		torn := n > 0
		for _, e := range ends {
			if e <= n {
				want++
			}
			if e == n {
				torn = false
			}
		}
		if good, err := scan(whole.Bytes()[:n]); good != want || errors.Is(err, errTorn) != torn {
			t.Fatalf("cut at %d: %d records, %v; want %d, torn %v", n, good, err, want, torn)
		}
	}
	for i := range whole.Len() {
		p := bytes.Clone(whole.Bytes())
		p[i] ^= 0x40
		if good, _ := scan(p); good >= 3 {
			t.Fatalf("a changed byte at %d was not found", i)
		}
	}
}

func FuzzScanRecords(f *testing.F) {
	head, err := (&record{Kind: recordDone, File: 1}).encodeHead()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(append(head, 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, p []byte) {
		_ = scanRecords(bytes.NewReader(p), func(s scanned, bad error) {
			if bad == nil && s.at+s.data()+recordTrailer > int64(len(p)) {
				t.Fatalf("a record ends at %d of %d bytes", s.at+s.data(), len(p))
			}
		})
	})
}

// TestModelOfCrashes persists, commits and crashes at random. After the replay every file must have
// its content at the last Persist or Commit, or a newer one.
func TestModelOfCrashes(t *testing.T) {
	dir := t.TempDir()
	crashes := 0
	rapid.Check(t, func(t *rapid.T) {
		crashes++
		own := fmt.Sprintf("%s/%d", dir, crashes)
		b := newBench(t, own, 16<<20, withJournal(own))
		b.shrink(32<<10, 8<<10)
		files := map[string]*File{}
		promised := map[string][]byte{}
		seed := uint64(0)
		for range rapid.IntRange(1, 15).Draw(t, "steps") {
			key := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "key")
			f := files[key]
			if f == nil {
				f = b.Open(OpenInput{Key: key})
				files[key] = f
			}
			seed++
			n, off := rapid.IntRange(1, 60_000).Draw(t, "n"), int64(rapid.IntRange(0, 30_000).Draw(t, "off"))
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				mustTruncate(t, f, off)
			case 1:
				if err := f.PunchHole(context.Background(), off, int64(n)); err != nil {
					t.Fatal(err)
				}
			default:
				mustWrite(t, f, random(n, seed), off)
			}
			switch rapid.IntRange(0, 2).Draw(t, "then") {
			case 0:
				mustPersist(t, f)
				promised[key] = content(t, f)
			case 1:
				mustCommit(t, f)
				promised[key] = content(t, f)
			}
		}
		after := b.crash(t, own+"/after")
		if _, err := after.Replay(context.Background(), noChanges); err != nil {
			t.Fatal(err)
		}
		for key, want := range promised {
			sameContent(t, "after the crash, "+key, after.s.object(key), want)
		}
		after.end(t)
		for _, f := range files {
			mustClose(t, f)
		}
		b.end(t)
	})
}
