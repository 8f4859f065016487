package integration

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	owner    = 1002 // has the files of these tests
	stranger = 1003 // must not get at them
)

// tries are ways to access a file or a directory. Each gets the path of a different
// object.
var tries = map[string]func(p string) error{
	"file/read":       opens(os.O_RDONLY),
	"file/write":      opens(os.O_WRONLY),
	"file/append":     opens(os.O_WRONLY | os.O_APPEND),
	"file/both":       opens(os.O_RDWR),
	"file/replace":    opens(os.O_WRONLY | os.O_TRUNC),
	"file/create":     opens(os.O_WRONLY | os.O_TRUNC | os.O_CREATE),
	"file/empty":      opens(os.O_RDONLY | os.O_TRUNC),
	"file/truncate":   func(p string) error { return unix.Truncate(p, 1) },
	"file/chmod":      func(p string) error { return unix.Chmod(p, 0o777) },
	"file/utimes":     func(p string) error { return unix.Utimes(p, make([]unix.Timeval, 2)) },
	"file/getxattr":   func(p string) error { _, err := unix.Getxattr(p, "user.x", make([]byte, 8)); return err },
	"file/setxattr":   func(p string) error { return unix.Setxattr(p, "user.x", []byte("y"), 0) },
	"dir/list":        func(p string) error { _, err := os.ReadDir(p); return err },
	"dir/stat in":     func(p string) error { return unix.Stat(p+"/x", &unix.Stat_t{}) },
	"dir/read in":     func(p string) error { return opens(os.O_RDONLY)(p + "/x") },
	"dir/read below":  func(p string) error { return opens(os.O_RDONLY)(p + "/sub/x") },
	"dir/absent in":   func(p string) error { return opens(os.O_RDONLY)(p + "/absent") },
	"dir/create in":   func(p string) error { return opens(os.O_WRONLY | os.O_CREATE)(p + "/new") },
	"dir/mkdir in":    func(p string) error { return unix.Mkdir(p+"/new", 0o777) },
	"dir/symlink in":  func(p string) error { return unix.Symlink("x", p+"/new") },
	"dir/unlink in":   func(p string) error { return unix.Unlink(p + "/x") },
	"dir/rename in":   func(p string) error { return unix.Rename(p+"/x", p+"/y") },
	"dir/rename from": func(p string) error { return unix.Rename(p+"/x", path.Dir(p)+"/taken") },
	"dir/chmod":       func(p string) error { return unix.Chmod(p, 0o777) },
	"dir/from within": func(p string) error { return within(p, func() error { return opens(os.O_RDONLY)("x") }) },
	"dir/list within": func(p string) error { return within(p, func() error { _, err := os.ReadDir("."); return err }) },
	"dir/make within": func(p string) error { return within(p, func() error { return unix.Mkdir("new", 0o777) }) },
	"sticky/unlink":   func(p string) error { return unix.Unlink(p + "/x") },
	"sticky/rename":   func(p string) error { return unix.Rename(p+"/x", p+"/y") },
	"sticky/rmdir":    func(p string) error { return unix.Rmdir(p + "/empty") },
	"sticky/replace": func(p string) error {
		mine := fmt.Sprint(p, "/mine", os.Getuid())
		if err := os.WriteFile(mine, []byte("mine"), 0o644); err != nil {
			return fmt.Errorf("make a file: %v", err)
		}
		return unix.Rename(mine, p+"/x")
	},
}

func opens(flags int) func(string) error {
	return func(p string) error {
		f, err := os.OpenFile(p, flags, 0o600)
		if err != nil {
			return err
		}
		return f.Close()
	}
}

// within runs fn in a directory. Without search permission, chdir may fail as well.
func within(p string, fn func() error) error {
	if err := os.Chdir(p); err != nil {
		return err
	}
	defer os.Chdir("/")
	return fn()
}

// accessOp makes some of the tries as another user. Its arguments are "refused" or
// "granted", the user, the directory of the objects, and the tries. It fails if a try
// ends in another way.
func accessOp(args []string) error {
	granted, args := args[0] == "granted", args[1:]
	id, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setresgid(id, id, id), syscall.Setresuid(id, id, id)); err != nil {
		return err
	}
	var wrong []error
	for _, name := range args[2:] {
		if granted && (name == "file/chmod" || name == "file/utimes") {
			// The kernel refuses these without asking the mount, by the owner that it knows.
			_ = opens(os.O_RDONLY)(path.Join(args[1], objectOf(name)))
		}
		err := tries[name](path.Join(args[1], objectOf(name)))
		refused := errors.Is(err, syscall.EACCES) || errors.Is(err, syscall.EPERM)
		nothing := errors.Is(err, syscall.ENODATA) || errors.Is(err, syscall.ENOENT) && name == "dir/absent in"
		if granted && err != nil && !nothing || !granted && !refused {
			wrong = append(wrong, fmt.Errorf("%s: %v, want it %s", name, err, map[bool]string{true: "granted", false: "refused"}[granted]))
		}
	}
	return errors.Join(wrong...)
}

// objectOf is the name of the object of a try.
func objectOf(try string) string { return strings.NewReplacer("/", "-", " ", "-").Replace(try) }

func triesOf(kinds ...string) []string {
	var names []string
	for name := range tries {
		kind, _, _ := strings.Cut(name, "/")
		for _, k := range kinds {
			if k == kind {
				names = append(names, name)
			}
		}
	}
	return names
}

func modeOf(mode, uid uint32) map[string]string {
	return map[string]string{"mode": fmt.Sprint(mode), "uid": fmt.Sprint(uid), "gid": fmt.Sprint(uid)}
}

const secret = "a secret"

// seedAccess makes the objects of all tries as another tool does.
func seedAccess(t *testing.T, w *harness.World, bucket *harness.Referee) {
	t.Helper()
	put := func(key, body string, meta map[string]string) {
		must(t, bucket.Put(w.Context(t), key, []byte(body), meta))
	}
	for name := range tries {
		key := objectOf(name)
		if strings.HasPrefix(name, "file/") {
			put(key, secret, modeOf(unix.S_IFREG|0o600, owner))
			continue
		}
		mode := uint32(unix.S_IFDIR | 0o700)
		if strings.HasPrefix(name, "sticky/") {
			mode = unix.S_IFDIR | 0o1777
		}
		put(key+"/", "", modeOf(mode, owner))
		put(key+"/x", secret, modeOf(unix.S_IFREG|0o666, owner))
		put(key+"/sub/", "", modeOf(unix.S_IFDIR|0o777, owner))
		put(key+"/empty/", "", modeOf(unix.S_IFDIR|0o777, owner))
		put(key+"/sub/x", secret, modeOf(unix.S_IFREG|0o666, owner))
	}
}

// seedThroughMount makes the same objects through a mount, which stores hints.
func seedThroughMount(t *testing.T, w *harness.World, bucket *harness.Referee) {
	t.Helper()
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket})
	give := func(p string, mode uint32) {
		must(t, unix.Chown(p, owner, owner))
		must(t, unix.Chmod(p, mode))
	}
	file := func(p string, mode uint32) {
		must(t, os.WriteFile(p, []byte(secret), 0o600))
		give(p, mode)
	}
	for name := range tries {
		p := m.Path(objectOf(name))
		if strings.HasPrefix(name, "file/") {
			file(p, 0o600)
			continue
		}
		must(t, os.MkdirAll(p+"/sub", 0o777))
		must(t, os.Mkdir(p+"/empty", 0o777))
		file(p+"/x", 0o666)
		file(p+"/sub/x", 0o666)
		give(p+"/sub", 0o777)
		give(p+"/empty", 0o777)
		if strings.HasPrefix(name, "sticky/") {
			give(p, 0o1777)
		} else {
			give(p, 0o700)
		}
	}
	m.Unmount(t)
}

// TestP8Access checks that with --allow-other no user gets access that an object's own
// metadata denies. The defaults of the mount grant everything, so that any access
// decision based on defaults fails the test.
func TestP8Access(t *testing.T) {
	t.Parallel()
	sources := map[string]func(*testing.T, *harness.World, *harness.Referee){
		"other tool": seedAccess,
		"mount":      seedThroughMount,
		"mount without hints": func(t *testing.T, w *harness.World, bucket *harness.Referee) {
			seedThroughMount(t, w, bucket)
			dropHints(t, w, bucket)
		},
	}
	before := map[string]func(t *testing.T, w *harness.World, m *harness.Mount){
		"cold":            func(*testing.T, *harness.World, *harness.Mount) {},
		"root has listed": func(t *testing.T, w *harness.World, m *harness.Mount) { w.Sh(t, m.Dir, "find . -ls >/dev/null") },
		"root has read": func(t *testing.T, w *harness.World, m *harness.Mount) {
			w.Sh(t, m.Dir, "find . -type f -exec cat {} + >/dev/null")
		},
		"the user has seen": func(t *testing.T, w *harness.World, m *harness.Mount) {
			w.TrySh(t, m.Dir, "setpriv --reuid=1003 --regid=1003 --clear-groups find . -ls >/dev/null")
		},
	}
	for source, seed := range sources {
		for order, prepare := range before {
			for _, posix := range []string{"auto", "full"} {
				t.Run(source+"/"+order+"/"+posix, func(t *testing.T) {
					harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
						bucket := w.Bucket(t)
						seed(t, w, bucket)
						testAccess(t, w, bucket, prepare, posix)
					})
				})
			}
		}
	}
}

// testAccess lets the stranger try everything on one mount, and then the owner on
// another. Root goes first on a third one, and changes no attribute by it.
func testAccess(t *testing.T, w *harness.World, bucket *harness.Referee, prepare func(*testing.T, *harness.World, *harness.Mount), posix string) {
	attempt := func(verdict string, uid int, names ...string) {
		t.Helper()
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{
			"--allow-other", "--xattr", "--posix", posix,
			"--uid", fmt.Sprint(stranger), "--gid", fmt.Sprint(stranger), "--file-mode", "0666", "--dir-mode", "0777",
		}})
		prepare(t, w, m)
		if r := w.Op(t, "access", append([]string{verdict, fmt.Sprint(uid), m.Dir}, names...)...); r.Code != 0 {
			t.Errorf("user %d: %s", uid, r.Out)
		}
		m.Unmount(t)
	}
	attempt("refused", stranger, triesOf("file", "dir", "sticky")...)
	checkUntouched(t, w, bucket, true)
	attempt("granted", 0, "file/read", "file/write", "file/append", "file/both", "file/replace", "file/create", "file/empty", "file/truncate")
	checkUntouched(t, w, bucket, false)
	attempt("granted", owner, triesOf("file", "dir", "sticky")...)
}

func dropHints(t *testing.T, w *harness.World, bucket *harness.Referee) {
	t.Helper()
	keys, err := bucket.Keys(w.Context(t), ".s3mount/attrs/")
	must(t, err)
	if len(keys) == 0 {
		t.Fatal("there are no hints to delete")
	}
	for _, key := range keys {
		must(t, bucket.Delete(w.Context(t), key))
	}
}

// checkUntouched fails the test if an object of a try has another mode or owner than
// it was made with, or other bytes.
func checkUntouched(t *testing.T, w *harness.World, bucket *harness.Referee, bytes bool) {
	t.Helper()
	for name := range tries {
		key, mode := objectOf(name), uint64(0o600)
		if !strings.HasPrefix(name, "file/") {
			key, mode = key+"/x", 0o666
		}
		if bytes {
			wantObject(t, w, bucket, key, []byte(secret))
		}
		head, err := bucket.Head(w.Context(t), key)
		must(t, err)
		if got, _ := strconv.ParseUint(head.Metadata["mode"], 10, 32); got&0o7777 != mode || head.Metadata["uid"] != fmt.Sprint(owner) {
			t.Errorf("%s: the metadata are %v, want mode %o and uid %d", key, head.Metadata, mode, owner)
		}
	}
}

// TestP8AccessOfTwoMounts checks a private file that one user writes in a new private
// directory on one mount. Another user cannot read it on the other mount, neither at
// once nor after the attribute timeout, but the owner can.
func TestP8AccessOfTwoMounts(t *testing.T) {
	harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
		harness.Need(t, "setpriv")
		bucket := w.Bucket(t)
		as := func(uid int, dir, script string) harness.Result {
			id := fmt.Sprint(uid)
			return w.TrySh(t, dir, `exec setpriv --reuid=`+id+` --regid=`+id+` --clear-groups sh -c "$1"`, script)
		}
		o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--allow-other", "--dir-mode", "0777", "--metadata-ttl", "2s"}}
		a, b := w.Mount(t, o), w.Mount(t, o)
		if r := as(owner, a.Dir, "umask 077; mkdir d && head -c 9000 /dev/zero >d/f && chmod 600 d/f"); r.Code != 0 {
			t.Fatalf("the owner cannot write: %s", r.Out)
		}
		for _, after := range []time.Duration{0, 3 * time.Second} {
			time.Sleep(after) // the attribute timeout of the kernel, which nothing else ends
			if r := as(stranger, b.Dir, "cat d/f"); r.Code == 0 || !strings.Contains(r.Out, "Permission denied") {
				t.Errorf("after %v, another user reads the file: %.100q", after, r.Out)
			}
			if r := as(owner, b.Dir, "cat d/f | wc -c; stat -c %a d d/f"); r.Code != 0 || r.Out != "9000\n700\n600\n" {
				t.Errorf("after %v, the owner does not: %q", after, r.Out)
			}
		}
	})
}

// TestP8OwnerWithoutHint changes attributes of a file that another tool has given to the
// caller, while the kernel believes that the file belongs to somebody else. The kernel
// asks the mount before chown and when the file is opened, and always knows the owner with
// --posix=full. fs/README.md describes chmod without one of these.
func TestP8OwnerWithoutHint(t *testing.T) {
	harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
		harness.Need(t, "setpriv")
		for _, tc := range []struct{ posix, script string }{
			{"auto", "chgrp 1002 f"}, {"auto", "touch f"}, {"auto", ": <f && chmod 640 f"}, {"auto", "touch -m -d @1 f"},
			{"full", "chmod 640 f"},
		} {
			bucket := w.Bucket(t)
			must(t, bucket.Put(w.Context(t), "f", []byte(secret), modeOf(unix.S_IFREG|0o600, owner)))
			m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--allow-other", "--posix", tc.posix}})
			w.Sh(t, m.Dir, "ls")
			if r := w.TrySh(t, m.Dir, `exec setpriv --reuid=1002 --regid=1002 --clear-groups sh -c "$1"`, tc.script); r.Code != 0 {
				t.Errorf("posix %s, %s: %s", tc.posix, tc.script, r.Out)
			}
			m.Unmount(t)
		}
	})
}
