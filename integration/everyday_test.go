package integration

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// everyday is a day's work with everyday programs: append, change in place,
// truncate, copy, move, remove, edit, synchronize, clone, extract, a database.
var everyday = app{
	name: "everyday", needs: []string{"rsync", "git", "sqlite3"}, script: `
		cp "$1"/text.txt text; cp "$1"/big.bin big; cp -r "$1"/deep deep
		echo six >> text; echo seven >> text; cat text; sed -i s/two/2/ text; cat text
		printf INPLACE | dd of=big bs=1 seek=9000001 conv=notrunc status=none; echo tail >> big; sha256sum big
		printf IN | dd of=text bs=1 seek=3 conv=notrunc status=none; truncate -s 20 text; od -c text; truncate -s 12000000 big; sha256sum big
		cp big copy; cp text empty; : > empty; mv text text2; mv big big2; mv deep deep2; ls; rm copy; rm -r deep2/d0; find . | sort
		rsync -a "$1"/ tree; rsync -ai "$1"/ tree; rsync -ai --delete "$1"/ tree; diff -r "$1" tree
		mkdir out; tar cf - -C "$1" . | tar xf - -C out; diff -r "$1" out
		export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' \
			GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.org GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.org
		git init -q -b main origin; cp -r "$1"/sizes origin; cd origin; git add .; git commit -qm one; echo changed >> sizes/s0000001; git add .; git commit -qm two; cd ..
		git clone -q origin repo 2>&1; cd repo; git status --porcelain; git log --oneline; git fsck --strict 2>&1; cd ..
		sqlite3 db "create table t(id integer primary key, v text); insert into t values (1, 'one'), (2, 'two');"
		sqlite3 db "update t set v = 'zwei' where id = 2; pragma integrity_check; select * from t"; rm -rf out tree/deep; ls`,
	tree:  harness.TreeOptions{Ignore: []string{"origin/.git", "repo/.git"}},
	after: `cat text2; sqlite3 db "insert into t values (3, 'three'); select * from t"; cd repo; git status --porcelain`,
}

// TestEveryday does on a real server what people do every day with a mount. No
// program may see an error, and nothing may be lost.
func TestEveryday(t *testing.T) {
	t.Parallel()
	run(t, "programs", everyday.run)
	run(t, "many files", manyFiles)
	run(t, "two mounts", twoMountsAppend)
	run(t, "changes of files that are not cached", changeUncached)
}

// changeUncached changes files that the mount has not read. The deadline is shorter
// than the 30 s for which MinIO blocks a PUT beside a GET of the same key.
func changeUncached(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w, "--deadline", "10s", "--metadata-ttl", "0s")
	for i, size := range []int{1000, 1 << 20, 5 << 20, 8 << 20, 20 << 20} {
		for name, change := range map[string]func(f *os.File, b []byte) []byte{
			"write in place": func(f *os.File, b []byte) []byte {
				_, err := f.WriteAt([]byte("INPLACE"), int64(size/2))
				must(t, err)
				copy(b[size/2:], "INPLACE")
				return b
			},
			"append": func(f *os.File, b []byte) []byte {
				_, err := f.WriteAt([]byte("TAIL"), int64(size))
				must(t, err)
				return append(b, "TAIL"...)
			},
			"truncate": func(f *os.File, b []byte) []byte {
				must(t, f.Truncate(int64(size-10)))
				return b[:size-10]
			},
		} {
			key := fmt.Sprintf("%s %d", name, size)
			body := payload(i, size)
			must(t, bucket.Put(w.Context(t), key, body, nil))
			f, err := os.OpenFile(m.Path(key), os.O_RDWR, 0)
			must(t, err)
			body = change(f, body)
			must(t, f.Close())
			wantObject(t, w, bucket, key, body)
		}
	}
	if past := strings.Join(proxy.Past("append 5242880"), "\n"); strings.Contains(past, ": 503 ") {
		t.Errorf("the server refused a request for a while:\n%s", past)
	}
}

// manyFiles copies, moves and removes more files than a request can list or delete.
func manyFiles(t *testing.T, w *harness.World) {
	bucket := w.Bucket(t)
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket})
	const files = 1100
	local := w.Dir(t, "local")
	for i := range files {
		must(t, os.WriteFile(fmt.Sprintf("%s/f%04d", local, i), fmt.Appendf(nil, "%d\n", i), 0o644))
	}
	// Eight copies at a time, since each of them waits for S3.
	w.Sh(t, m.Dir, `mkdir a; ls "$1" | xargs -P 8 -n 50 sh -c 'for f; do cp "$0/$f" a/; done' "$1"`, local)
	w.Sh(t, m.Dir, `diff -r "$1" a; mv a b; test ! -e a; diff -r "$1" b`, local)
	keys, err := bucket.Keys(w.Context(t), "b/f")
	if err != nil || len(keys) != files {
		t.Errorf("%d objects after the move, want %d (%v)", len(keys), files, err)
	}
	w.Sh(t, m.Dir, `rm -r b; test ! -e b`)
	m.Unmount(t)
	for _, prefix := range []string{"a/", "b/"} {
		if keys, err := bucket.Keys(w.Context(t), prefix); err != nil || len(keys) > 0 {
			t.Errorf("%d objects are left below %s (%v)", len(keys), prefix, err)
		}
	}
}

// twoMountsAppend appends lines to one file on two mounts at the same time. A
// mount that comes too late gets ESTALE and tries again. No line may be lost.
func twoMountsAppend(t *testing.T, w *harness.World) {
	a, b, bucket := twoMounts(t, w)
	const lines = 15
	must(t, os.WriteFile(a.Path("log"), nil, 0o644))
	var wg sync.WaitGroup
	for i, m := range []*harness.Mount{a, b} {
		wg.Go(func() {
			for n := range lines {
				if err := appendUntilTaken(w, t, m.Path("log"), fmt.Sprintf("mount %d line %d\n", i, n)); err != nil {
					t.Errorf("mount %d: %v", i, err)
					return
				}
			}
		})
	}
	wg.Wait()
	got, err := bucket.Get(w.Context(t), "log")
	must(t, err)
	for i := range 2 {
		for n := range lines {
			if line := fmt.Sprintf("mount %d line %d\n", i, n); strings.Count(string(got), line) != 1 {
				t.Errorf("%q is %d times in the file", line, strings.Count(string(got), line))
			}
		}
	}
}

// appendUntilTaken appends a line, again and again while another mount is faster.
func appendUntilTaken(w *harness.World, t *testing.T, path, line string) error {
	for w.Context(t).Err() == nil {
		f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString(line)
			err = errors.Join(err, f.Close())
		}
		if !errors.Is(err, syscall.ESTALE) {
			return err
		}
		time.Sleep(time.Millisecond) // the other mount has to finish
	}
	return w.Context(t).Err()
}
