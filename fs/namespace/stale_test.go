package namespace

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// TestKeptWithoutPending deletes the last object of a directory without a marker while
// a file is being created in it. The directory stays, whether or not that file is
// uploaded (P6).
func TestKeptWithoutPending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "z")
		n := newTest(t, f)
		ctx := context.Background()
		ls(t, n, "d")
		n.AddPending("d/tmp", pendingFile{Key: "d/tmp"})
		if err := n.UnlinkInRun(ctx, at(t, n, "d"), "a", at(t, n, "d/a")); err != nil {
			t.Fatal(err)
		}
		mustDrain(t, n)
		n.DropPending("d/tmp", pendingFile{Key: "d/tmp"})
		equal(t, "keys", f.files(), []string{"d/", "z"})
		equal(t, "names on another mount", ls(t, newTest(t, f), ""), []string{"d/", "z"})
	})
}

// TestExistsIsRemembered checks that a lookup finds a name whose creation failed
// because it exists.
func TestExistsIsRemembered(t *testing.T) {
	for name, c := range map[string]struct {
		theirs string
		make   func(n *Namespace) error
	}{
		"mkdir": {"new/", func(n *Namespace) error {
			_, err := n.Mkdir(context.Background(), n.Root(), "new", entry.Attr{Perm: 0o755})
			return err
		}},
		"mknod": {"new", func(n *Namespace) error {
			_, err := n.Mknod(context.Background(), n.Root(), "new", entry.Symlink, entry.Attr{Perm: 0o777}, "somewhere")
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, "a")
				n := newTest(t, f)
				ls(t, n, "")
				body := ""
				if name == "mknod" {
					body = "x"
				}
				f.set(c.theirs, body, nil, time.Now())
				if err := c.make(n); !errors.Is(err, ErrExists) {
					t.Fatalf("%s over what another made: %v", name, err)
				}
				if _, err := find(n, "new"); err != nil {
					t.Errorf("lookup after EEXIST: %v", err)
				}
			})
		})
	}
}

// TestRenameDirectoryOntoUnseen checks that a rename does not merge a directory into
// one that another mount has filled, although the new name was absent in the cache.
func TestRenameDirectoryOntoUnseen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a")
		n := newTest(t, f)
		ls(t, n, "")
		f.set("e/a", "theirs", nil, time.Now())
		if _, err := mv(t, n, "d", "e"); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("rename: %v, want %v", err, ErrNotEmpty)
		}
		body, _, _ := f.server.Object("b", "e/a")
		equal(t, "what the other wrote", string(body), "theirs")
		equal(t, "keys", f.files(), []string{"d/a", "e/a"})
		if _, err := find(n, "e/a"); err != nil {
			t.Errorf("lookup of what the other wrote: %v", err)
		}
	})
}

// TestRenameDirectoryStopsHalfway interrupts a rename, or lets S3 refuse it, when some
// of the old names are deleted. Every object has a name in the mount.
func TestRenameDirectoryStopsHalfway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b", "d/s/c")
		n := newTest(t, f, func(o *Options) { o.StateDir = t.TempDir() })
		ls(t, n, "")
		ls(t, n, "d")
		f.setFail(func(op, key string) error {
			if op == "MULTI" {
				_, _ = f.Client.Delete(context.Background(), &s3.DeleteInput{Bucket: "b", Key: "d/a"})
				return fakeErr(op, key, 500, s3.ErrTransient)
			}
			return nil
		})
		if _, err := mv(t, n, "d", "e"); !errors.Is(err, s3.ErrTransient) {
			t.Errorf("rename: %v", err)
		}
		f.setFail(nil)
		equal(t, "d", ls(t, n, "d"), []string{"b", "s/"})
		equal(t, "e", ls(t, n, "e"), []string{"a", "b", "s/"})
		for _, p := range []string{"e/a", "e/s/c", "d/s/c"} {
			if _, err := find(n, p); err != nil {
				t.Errorf("lookup of %s: %v", p, err)
			}
		}
		if _, err := find(n, "d/a"); !errors.Is(err, s3.ErrNotFound) {
			t.Errorf("lookup of what was moved: %v", err)
		}
	})
}

// TestRenameDirectoryGivenUp checks that a rename that is interrupted before the first
// delete is undone, and that later ones are finished.
func TestRenameDirectoryGivenUp(t *testing.T) {
	for op, want := range map[string]string{"COPY": "[d/a d/b]", "MULTI": "[e/a e/b]"} {
		t.Run(op, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake(t, "d/a", "d/b")
				n := newTest(t, f)
				ls(t, n, "d")
				old := at(t, n, "d")
				ctx, giveUp := context.WithCancel(context.Background())
				f.setFail(func(now, _ string) error {
					if now == op {
						giveUp()
					}
					return nil
				})
				_, err := n.Rename(ctx, RenameInput{OldDir: n.Root(), OldName: "d", Old: old, NewDir: n.Root(), NewName: "e"})
				if done := op == "MULTI"; done != (err == nil) {
					t.Errorf("rename: %v", err)
				}
				equal(t, "keys", fmt.Sprint(f.files()), want)
			})
		})
	}
}

// TestRenameOutcomeUnknown checks that a rename whose copy succeeded without an answer
// is not treated as failed.
func TestRenameOutcomeUnknown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "a", "other")
		n := newTest(t, f)
		ls(t, n, "")
		f.setFail(func(op, key string) error {
			if op != "COPY" {
				return nil
			}
			_, _ = f.Client.Copy(context.Background(), &s3.CopyInput{SrcBucket: "b", SrcKey: "a", Bucket: "b", Key: key})
			return fakeErr(op, key, 500, s3.ErrTransient)
		})
		if _, err := mv(t, n, "a", "b"); !errors.Is(err, s3.ErrTransient) {
			t.Fatalf("rename: %v", err)
		}
		f.setFail(nil)
		equal(t, "names", ls(t, n, ""), []string{"a", "b", "other"})
		at(t, n, "b")
	})
}

// TestErrorOfAnother checks that an interrupted wait for a delete does not take the
// error of another delete in the directory.
func TestErrorOfAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "d/b", "d/keep", "first")
		n := newTest(t, f)
		if err := n.UnlinkInRun(context.Background(), n.Root(), "first", at(t, n, "first")); err != nil {
			t.Fatal(err)
		}
		d := at(t, n, "d")
		answer := make(chan struct{})
		f.setFail(func(op, key string) error {
			switch key {
			case "d/a":
				return fakeErr(op, key, 403, s3.ErrForbidden)
			case "d/b":
				<-answer
			}
			return nil
		})
		a, b := entry.Entry{Key: "d/a"}, entry.Entry{Key: "d/b"}
		if err := n.remove(context.Background(), &deletion{entry: a, gather: true}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		ctx, giveUp := context.WithCancel(context.Background())
		giveUp()
		if err := n.remove(ctx, &deletion{entry: b}); !errors.Is(err, context.Canceled) {
			t.Fatalf("delete: %v", err)
		}
		close(answer)
		if err := n.FlushDir(context.Background(), d); !errors.Is(err, s3.ErrForbidden) {
			t.Errorf("flush of the directory: %v, want %v", err, s3.ErrForbidden)
		}
	})
}

// TestListAroundForgotten checks that a forgotten row next to a subdirectory is
// requested again, wherever the listing begins.
func TestListAroundForgotten(t *testing.T) {
	for _, gone := range []entry.Entry{{Key: "a/", Kind: entry.Directory}, {Key: "b/", Kind: entry.Directory}, {Key: "b0"}, {Key: "c/", Kind: entry.Directory}} {
		synctest.Test(t, func(t *testing.T) {
			f := newFake(t, "a/x", "b/y", "b0", "c/z", "d")
			n := newTest(t, f)
			want := ls(t, n, "")
			n.forget(gone)
			equal(t, "names without "+gone.Key, ls(t, n, ""), want)
		})
	}
}

// TestRecoverLeavesWhatCameLater checks that the next mount finishes an interrupted
// rename, but does not move objects that programs have written under the old name long
// afterwards.
func TestRecoverLeavesWhatCameLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake(t, "d/a", "e/b")
		n := newTest(t, f, func(o *Options) { o.StateDir = t.TempDir() })
		it, err := n.writeRecord("d/", "e/")
		if err == nil {
			err = it.end(false)
		}
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		f.set("d/later", "x", nil, time.Now())
		if err := n.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		equal(t, "keys", f.files(), []string{"d/later", "e/a", "e/b"})
		at(t, n, "d/later")
	})
}
