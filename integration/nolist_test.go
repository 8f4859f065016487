package integration

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestNoList mounts with credentials that may not list: every LIST is refused, and S3 answers
// for absent objects with 403. Names that a program knows work.
func TestNoList(t *testing.T) {
	t.Parallel()
	run(t, "", func(t *testing.T, w *harness.World) {
		bucket := w.Bucket(t)
		must(t, bucket.Put(w.Context(t), "theirs", []byte("theirs"), nil))
		must(t, bucket.Put(w.Context(t), "dir/", nil, nil))
		must(t, bucket.Put(w.Context(t), "dir/file", []byte("in a directory"), nil))
		endpoint := w.Relay(t, w.Endpoint, func(out http.ResponseWriter, r *http.Request) bool {
			return denyListing(w, bucket, out, r)
		})
		r := w.Exec(t, harness.Credentials(), w.Binary, "--endpoint", endpoint, "--state-dir", w.Dir(t, "state"), bucket.Bucket, w.Dir(t, "mnt"))
		if r.Code != 6 || !strings.Contains(r.Out, "s3:ListBucket") || !strings.Contains(r.Out, "--no-list") {
			t.Errorf("a mount without the option ends with %d and says %q", r.Code, r.Out)
		}
		m := w.Mount(t, harness.MountOptions{Endpoint: endpoint, Source: bucket.Bucket, Args: []string{"--no-list"}})

		for name, want := range map[string]string{"theirs": "theirs", "dir/file": "in a directory"} {
			if got, err := os.ReadFile(m.Path(name)); string(got) != want || err != nil {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		}
		if _, err := os.Stat(m.Path("absent")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("stat of an absent name: %v", err)
		}
		_, err := os.ReadDir(m.Path(""))
		wantErrno(t, "ls", err, syscall.EACCES)

		must(t, os.WriteFile(m.Path("new"), []byte("new"), 0o644))
		must(t, os.Mkdir(m.Path("made"), 0o755))
		must(t, os.WriteFile(m.Path("made/f"), []byte("f"), 0o644))
		must(t, os.WriteFile(m.Path("theirs"), []byte("replaced"), 0o644))
		must(t, os.Rename(m.Path("new"), m.Path("made/renamed")))
		must(t, os.Remove(m.Path("dir/file")))
		wantErrno(t, "rmdir of a directory that may hold files", syscall.Rmdir(m.Path("made")), syscall.EACCES)
		f, err := os.OpenFile(m.Path("theirs"), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
		if wantErrno(t, "exclusive create of an object", err, syscall.EEXIST); err == nil {
			f.Close()
		}
		m.Unmount(t)
		for key, want := range map[string]string{"theirs": "replaced", "made/f": "f", "made/renamed": "new", "dir/": ""} {
			wantObject(t, w, bucket, key, []byte(want))
		}
		for _, key := range []string{"new", "dir/file"} {
			if _, err := bucket.Head(w.Context(t), key); err == nil {
				t.Errorf("%s is still there", key)
			}
		}
	})
}

// denyListing refuses every LIST, and every question for an object that does not exist.
func denyListing(w *harness.World, bucket *harness.Referee, out http.ResponseWriter, r *http.Request) bool {
	_, key, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
	denied := key == ""
	if !denied && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		_, err := bucket.Head(r.Context(), key)
		denied = err != nil
	}
	if denied && (r.Method == http.MethodGet || r.Method == http.MethodHead) {
		out.WriteHeader(http.StatusForbidden)
		fmt.Fprint(out, `<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>`)
		return true
	}
	return false
}
