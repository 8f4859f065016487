package writeback

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// changed returns a file whose base another client replaced after its bytes were written.
func changed(t tb, b *bench, size int) (f *File, want, theirs []byte) {
	old := random(size, 1)
	b.s.put("k", old)
	f = b.openKey("k")
	mustWrite(t, f, []byte("ours"), 10)
	copy(old[10:], "ours")
	theirs = random(size, 2)
	b.s.put("k", theirs)
	return f, old, theirs
}

func TestConflictKeepsBytes(t *testing.T) {
	for _, size := range []int{5000, 900_000} { // a PUT, and an upload with copies
		dir := t.TempDir()
		b := newBench(t, dir, 16<<20, nil)
		b.shrink(64<<10, 32<<10)
		f, want, theirs := changed(t, b, size)
		if _, err := f.Commit(context.Background()); !errors.Is(err, ErrConflict) {
			t.Fatalf("commit: %v, want ErrConflict", err)
		}
		sameContent(t, "their object", b.s.object("k"), theirs)
		if _, err := f.WriteAt(context.Background(), []byte("x"), 0); !errors.Is(err, ErrConflict) {
			t.Errorf("write to a stale file: %v", err)
		}
		if err := f.Close(context.Background()); err != nil {
			t.Errorf("close after the conflict was reported: %v", err)
		}
		files, _ := os.ReadDir(dir + "/recovery")
		if len(files) != 2 { // the base is gone: a file with holes, and their list
			t.Fatalf("%d files in the recovery directory, want the bytes and the list of holes", len(files))
		}
		got, _ := os.ReadFile(dir + "/recovery/" + files[0].Name())
		if len(got) != len(want) || string(got[10:14]) != "ours" {
			t.Error("the recovery file lacks written bytes")
		}
		if log := b.log.String(); !strings.Contains(log, files[0].Name()) {
			t.Errorf("the log does not name the recovery file: %s", log)
		}
		if st := b.Stats(); st.Conflicts != 1 || st.Recovered != 1 {
			t.Errorf("stats %+v", st)
		}
		b.end(t)
	}
}

// TestConflictKeptAtClose checks that Close saves the bytes of a conflict if the recovery directory was
// full when the conflict was detected.
func TestConflictKeptAtClose(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, nil)
	f := b.Open(OpenInput{Key: "k", Exclusive: true})
	mustWrite(t, f, []byte("ours"), 0)
	b.s.put("k", []byte("theirs"))
	if err := os.WriteFile(dir+"/recovery", nil, 0o600); err != nil { // a file where a directory must be
		t.Fatal(err)
	}
	if _, err := f.Commit(context.Background()); !errors.Is(err, ErrConflict) {
		t.Fatalf("commit: %v, want ErrConflict", err)
	}
	if err := os.Remove(dir + "/recovery"); err != nil {
		t.Fatal(err)
	}
	mustClose(t, f)
	sameContent(t, "recovery file", recovered(t, dir), []byte("ours"))
	b.end(t)
}

func TestConflictNewFile(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, nil)
	f := b.Open(OpenInput{Key: "k", Exclusive: true})
	mustWrite(t, f, []byte("ours"), 0)
	b.s.put("k", []byte("theirs"))
	if err := f.Close(context.Background()); !errors.Is(err, ErrConflict) {
		t.Fatalf("close: %v, want ErrConflict", err)
	}
	sameContent(t, "their object", b.s.object("k"), []byte("theirs"))
	sameContent(t, "recovery file", recovered(t, dir), []byte("ours"))
	b.end(t)
}

func TestConflictDeleted(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.s.put("k", random(100, 1))
	f := b.openKey("k")
	mustWrite(t, f, []byte("ours"), 0)
	b.s.mu.Lock()
	delete(b.s.objects, "k")
	b.s.mu.Unlock()
	// The bytes of the base cannot be read any more, and the commit fails on that first.
	if _, err := f.Commit(context.Background()); !errors.Is(err, ErrConflict) {
		t.Fatalf("commit: %v, want ErrConflict", err)
	}
	mustClose(t, f)
	b.end(t)
}

func TestConflictOverwrite(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, func(o *Options) { o.Conflict = ConflictOverwrite })
	b.s.put("k", random(100, 1))
	f := b.openKey("k")
	want := random(200, 3)
	mustWrite(t, f, want, 0) // replaces the whole base
	b.s.put("k", random(100, 2))
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

// TestConflictOverwriteOfStream checks that an overwriting commit sends all bytes again and ends the
// upload that had the conflict.
func TestConflictOverwriteOfStream(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, func(o *Options) { o.Conflict = ConflictOverwrite })
	b.shrink(64<<10, 32<<10)
	f := b.Open(OpenInput{Key: "k", Exclusive: true})
	want := random(200_000, 3)
	mustWrite(t, f, want, 0)
	b.s.put("k", []byte("theirs"))
	mustCommit(t, f)
	sameContent(t, "object", b.s.object("k"), want)
	mustClose(t, f)
	b.end(t)
}

func TestConflictKeepBoth(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, func(o *Options) { o.Conflict = ConflictKeepBoth })
	b.s.put("k", random(100, 1))
	f := b.openKey("k")
	want := random(200, 3)
	mustWrite(t, f, want, 0)
	theirs := random(100, 2)
	b.s.put("k", theirs)
	if _, err := f.Commit(context.Background()); !errors.Is(err, ErrConflict) {
		t.Fatalf("commit: %v, want ErrConflict", err)
	}
	sameContent(t, "their object", b.s.object("k"), theirs)
	side := ""
	for k := range b.s.objects {
		if strings.HasPrefix(k, "k.conflict-") {
			side = k
		}
	}
	sameContent(t, "our object beside it", b.s.object(side), want)
	if files, _ := os.ReadDir(dir + "/recovery"); len(files) != 0 {
		t.Error("a recovery file although the bytes are in S3")
	}
	mustClose(t, f)
	b.end(t)
}

// TestOwnObjectIsNoConflict checks a conditional request whose first attempt was executed, whose answer
// was lost, and whose retry found the object.
func TestOwnObjectIsNoConflict(t *testing.T) {
	for _, w := range works() {
		for _, answer := range []error{s3.ErrPreconditionFailed, s3.ErrNotFound, s3.ErrConflict} {
			b := newBench(t, t.TempDir(), 16<<20, nil)
			b.shrink(64<<10, 32<<10)
			if w.old != nil {
				b.s.put("k", w.old)
			}
			f, want := w.do(t, b)
			<-b.quiet()
			b.s.hook(nil, func(op, key string) error {
				if op == "put" || op == "complete" {
					return answer
				}
				return nil
			})
			v := mustCommit(t, f)
			sameContent(t, w.name, b.s.object("k"), want)
			b.s.hook(nil, nil)
			if n := b.s.count("put") + b.s.count("complete"); n > 2 || b.s.objects["k"].etag != v.ETag {
				t.Errorf("%s: %s", w.name, b.s.history())
			}
			// The version is right: the next change is conditional on it.
			mustWrite(t, f, []byte("more"), 0)
			mustCommit(t, f)
			mustClose(t, f)
			b.end(t)
		}
	}
}

func TestEscapeKey(t *testing.T) {
	for key, want := range map[string]string{
		"a/b.txt": "a%2Fb.txt", "..": "%2E%2E", "": "", "ä": "%C3%A4", "%": "%25",
		strings.Repeat("x", 300): strings.Repeat("x", maxKeyInName),
	} {
		if got := escapeKey(key); got != want {
			t.Errorf("escapeKey(%q) = %q, want %q", key, got, want)
		}
	}
}

// failingReader counts the reads of a version that is gone.
type failingReader struct {
	fakeReader
	reads int
}

func (r *failingReader) CopyWithin(context.Context, []byte, int64, int64) (int, error) {
	r.reads++
	return 0, errGone
}

// TestKeepAsksOnce checks that a base that cannot be read is read only once, because each attempt may
// take the full deadline.
func TestKeepAsksOnce(t *testing.T) {
	dir := t.TempDir()
	b := newBench(t, dir, 16<<20, nil)
	v := b.s.put("k", random(4<<20, 1))
	r := &failingReader{fakeReader: fakeReader{s: b.s, v: v}}
	f := b.Open(OpenInput{Key: "k", Base: &v, Reader: r})
	mustWrite(t, f, []byte("ours"), 1<<20)
	mustWrite(t, f, []byte("ours"), 3<<20)
	if err := f.keep(ErrConflict); err != nil {
		t.Fatal(err)
	}
	if r.reads != 1 {
		t.Errorf("%d reads of a base that cannot be read", r.reads)
	}
	files, _ := os.ReadDir(dir + "/recovery")
	if len(files) != 2 {
		t.Fatalf("%d files in the recovery directory", len(files))
	}
	got, _ := os.ReadFile(dir + "/recovery/" + files[0].Name())
	if len(got) != 4<<20 || string(got[1<<20:1<<20+4]) != "ours" || string(got[3<<20:3<<20+4]) != "ours" {
		t.Error("the recovery file lacks written bytes")
	}
	holes, _ := os.ReadFile(dir + "/recovery/" + files[1].Name())
	if want := "0 1048576\n1048580 2097148\n3145732 1048572\n"; !strings.HasSuffix(string(holes), want) {
		t.Errorf("holes: %s", holes)
	}
	f.Discard()
	mustClose(t, f)
	b.end(t)
}
