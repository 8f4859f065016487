package writeback

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/s3mount/s3mount/s3"
)

// TestReplayWithoutOwnJournal checks that a mount without a journal replays the journals of dead mounts.
func TestReplayWithoutOwnJournal(t *testing.T) {
	for _, old := range []bool{false, true} {
		dir, dir2 := t.TempDir(), t.TempDir()
		b := journalOf(t, dir, "a", "b")
		if err := os.CopyFS(dir2+"/journal", os.DirFS(b.o.JournalDir)); err != nil {
			t.Fatal(err)
		}
		after := newBench(t, dir2, 16<<20, func(o *Options) {
			o.JournalDir = dir2 + "/journal"
			if old {
				o.JournalDir, o.OldJournalDirs = dir2+"/new", []string{dir2 + "/journal"}
			}
		})
		if n, err := after.Replay(t.Context(), noChanges); n != 2 || err != nil {
			t.Fatalf("replayed %d, %v", n, err)
		}
		for _, key := range []string{"a", "b"} {
			sameContent(t, key, after.s.object(key), []byte(key))
		}
		if left, _ := filepath.Glob(dir2 + "/*/" + mountPattern); len(left) != 0 {
			t.Errorf("journals after the replay: %v", left)
		}
		after.end(t)
	}
}

// journalOf returns the bench of a mount that dies with files in its journal. The content of each
// file is its key.
func journalOf(t *testing.T, dir string, keys ...string) *bench {
	t.Helper()
	b := newBench(t, dir, 16<<20, withJournal(dir))
	g := newGate("put")
	b.s.hook(g.hook, nil)
	var files []*File
	for _, key := range keys {
		f := b.Open(OpenInput{Key: key})
		mustWrite(t, f, []byte(key), 0)
		mustPersist(t, f)
		files = append(files, f)
	}
	t.Cleanup(func() {
		close(g.open)
		for _, f := range files {
			mustClose(t, f)
		}
		b.end(t)
	})
	return b
}

// TestReplayOfAnotherPrefix checks that a mount replays the records below its prefix and reports
// all others.
func TestReplayOfAnotherPrefix(t *testing.T) {
	b := journalOf(t, t.TempDir(), "p/a", "q/s/b", "q/t/cc")
	after := b.crash(t, t.TempDir())
	after.o.Prefix = "p/"
	if n, err := after.Replay(t.Context(), noChanges); n != 1 || err != nil {
		t.Fatalf("replayed %d, %v; want 1", n, err)
	}
	got, err := after.Waiting()
	if err != nil || len(got) != 1 {
		t.Fatalf("waiting: %v, %v", got, err)
	}
	if w := got[0]; w.Records != 2 || w.Bytes != 11 || w.Prefix != "q/" || filepath.Dir(w.Dir) != after.o.JournalDir {
		t.Errorf("waiting: %+v", w)
	}
	after.o.Prefix = "q/"
	mustReplay(t, after, 2)
	if got, err := after.Waiting(); err != nil || len(got) != 0 {
		t.Errorf("waiting after the replay: %v, %v", got, err)
	}
	for _, key := range []string{"p/a", "q/s/b", "q/t/cc"} {
		sameContent(t, key, after.s.object(key), []byte(key))
	}
	after.end(t)
}

// TestRefusedForGood checks that acknowledged content that S3 refuses permanently goes to the
// recovery directory, in the mount that acknowledged it and in a replay.
func TestRefusedForGood(t *testing.T) {
	for _, refusal := range []error{s3.ErrForbidden, s3.ErrPreconditionFailed, s3.ErrInvalidInput, s3.ErrNotImplemented} {
		dir := t.TempDir()
		b := newBench(t, dir, 16<<20, withJournal(dir))
		g := newGate("put")
		b.s.hook(func(op, key string) error {
			if err := g.hook(op, key); err != nil || op != "put" {
				return err
			}
			return refusal
		}, nil)
		f := b.Open(OpenInput{Key: "k"})
		mustWrite(t, f, []byte("bytes"), 0)
		mustPersist(t, f)
		after := b.crash(t, t.TempDir())
		close(g.open)
		if _, err := f.Commit(context.Background()); !errors.Is(err, ErrKept) || !errors.Is(err, refusal) {
			t.Errorf("commit: %v, want ErrKept and %v", err, refusal)
		}
		if _, err := f.Commit(context.Background()); !errors.Is(err, ErrKept) {
			t.Errorf("second commit: %v, want ErrKept", err)
		}
		mustClose(t, f)
		wantKept(t, b, "bytes")
		b.end(t)
		if left, _ := filepath.Glob(b.o.JournalDir + "/" + mountPattern); len(left) != 0 {
			t.Errorf("journals at the end: %v", left)
		}

		after.s.hook(func(op, key string) error {
			if op == "put" {
				return refusal
			}
			return nil
		}, nil)
		mustReplay(t, after, 1)
		wantKept(t, after, "bytes")
		after.end(t)
	}
}

func wantKept(t *testing.T, b *bench, content string) {
	t.Helper()
	k := b.Kept()
	if k.Files != 1 || k.Bytes != int64(len(content)) || k.Dir != b.o.RecoveryDir || b.Stats().Broken != 1 {
		t.Fatalf("kept: %+v, %d of them acknowledged", k, b.Stats().Broken)
	}
	entries, err := os.ReadDir(k.Dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(k.Dir, entries[0].Name()))
	if err != nil || string(got) != content {
		t.Errorf("the recovery file holds %q, %v", got, err)
	}
}

// TestPassingFailureStays checks that the journal keeps content that fails because of the
// credentials, the clock or the bucket.
func TestPassingFailureStays(t *testing.T) {
	for _, failure := range []error{s3.ErrExpiredCredentials, s3.ErrNoCredentials, s3.ErrClockSkew, s3.ErrNoSuchBucket,
		&s3.Error{Op: "PutObject", Status: 403, Code: "InvalidAccessKeyId"}} {
		if refusedForGood(failure) {
			t.Errorf("%v counts as a refusal for good", failure)
		}
	}
	for _, refusal := range []error{&s3.Error{Op: "PutObject", Status: 400, Code: "InvalidRequest"}, s3.ErrForbidden, ErrTooLarge} {
		if !refusedForGood(refusal) {
			t.Errorf("%v does not count as a refusal for good", refusal)
		}
	}
}
