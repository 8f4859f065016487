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
