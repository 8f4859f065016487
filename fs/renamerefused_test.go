package fs

import (
	"strings"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/s3/s3test"
)

// TestRenameWithoutPermissionToDelete renames with credentials that may not delete, or
// not in the old directory. The rename is refused, and the file has its old name only.
func TestRenameWithoutPermissionToDelete(t *testing.T) {
	denied := map[string]func(key string) bool{
		"no deletes":           func(string) bool { return true },
		"not in the directory": func(key string) bool { return strings.HasPrefix(key, "d/") },
		"not the file":         func(key string) bool { return key == "d/f" },
	}
	for name, deny := range denied {
		for _, pair := range [][2]string{{"d/f", "g"}, {"d/f", "d/g"}, {"d", "e"}} {
			t.Run(name+", "+pair[0]+" to "+pair[1], func(t *testing.T) {
				srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, Deny: func(kind, _, key string) bool {
					return kind == "DeleteObject" && deny(key)
				}})
				k := remount(t, srv)
				srv.PutObject(testBucket, "d/f", []byte("x"), nil)
				errnoIs(t, k.rename(pair[0], pair[1], 0), syscall.EACCES, "rename")
				if got := k.cat("d/f"); got != "x" {
					t.Errorf("the file holds %q", got)
				}
				for _, key := range srv.Keys(testBucket) {
					if key != "d/f" && !strings.HasSuffix(key, "/") && !strings.HasPrefix(key, ".s3mount/") {
						t.Errorf("the rename has left %q", key)
					}
				}
			})
		}
	}
}

// TestReplaceWithoutPermissionToDelete renames a file over another one, with credentials
// that may not delete in the old directory, after a delete elsewhere has succeeded. The
// rename is refused, and both files are as they were.
func TestReplaceWithoutPermissionToDelete(t *testing.T) {
	for _, durability := range []string{durabilityS3, durabilityJournal} {
		t.Run(durability, func(t *testing.T) {
			srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}, Deny: func(kind, _, key string) bool {
				return kind == "DeleteObject" && strings.HasPrefix(key, "d/")
			}})
			k := remount(t, srv, func(o *Options) { o.Durability, o.Linger = durability, 0 })
			for _, key := range []string{"d/f", "other", "e/g"} {
				srv.PutObject(testBucket, key, []byte(key), nil)
			}
			k.must(k.unlink("other"), "unlink", "other")
			if err := k.f.drain(t.Context()); err != nil {
				t.Fatal(err)
			}
			for range 2 {
				errnoIs(t, k.rename("d/f", "e/g", 0), syscall.EACCES, "rename")
			}
			for _, key := range []string{"d/f", "e/g"} {
				k.wantObject(key, key)
				if got := k.cat(key); got != key {
					t.Errorf("%s holds %q", key, got)
				}
			}
			if durability == durabilityJournal { // a rename that can be undone hears of the refusal, too
				errnoIs(t, k.rename("d/f", "e/new", 0), syscall.EACCES, "rename to a new name")
				k.wantNoObject("e/new")
			}
		})
	}
}
