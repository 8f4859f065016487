package integration

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// linkShape shows which names are one file, by the first of them.
const linkShape = `
	find . -type f -printf '%i %n %P\n' | sort -k3 | awk '{ if (!($1 in first)) first[$1] = $3; print $3, $2, first[$1] }'
	find . -type f -print0 | sort -z | xargs -0 -r sha256sum`

// linkApps are programs that use link(2), by what they do with it.
var linkApps = []app{
	{name: "ln", script: `
		echo one > a; ln a b; mkdir d; ln b d/c; echo two >> d/c; cat a; ln a b 2>/dev/null || echo "exit $?"
		ln -f d/c b; rm a; echo three > b; mv b e; ln d dir 2>/dev/null || echo "exit $?"; echo x > x; ln x y; rm x
		ln -s e sym; ln -P sym hardsym; readlink hardsym; mkfifo f; ln f f2; stat -c '%F %h' f2 hardsym`},
	{name: "cp -al", script: `
		cp -r "$1"/deep "$1"/sizes "$1"/big.bin .; mkdir snap; cp -al deep sizes big.bin snap; rm -r deep; ln snap/big.bin big2
		printf changed | dd of=snap/big.bin conv=notrunc status=none; mv snap/sizes s2`},
	{name: "rsync -H", needs: []string{"rsync"}, script: `
		mkdir src; cp "$1"/text.txt src/a; ln src/a src/b; mkdir src/d; ln src/a src/d/c; cp "$1"/sizes/s0131073 src/z; ln src/z src/d/z
		rsync -aH src/ copy/; rsync -aHi --checksum src/ copy/ | grep -v '/$' || true
		rsync -a --link-dest=../copy src/ day2/; echo more >> src/a; rsync -aH --inplace src/ copy/`},
	{name: "tar", needs: []string{"tar"}, script: `
		mkdir t; cp "$1"/text.txt t/a; ln t/a t/b; cp "$1"/big.bin t/x; ln t/x t/y; tar cf t.tar t; mkdir out; tar xf t.tar -C out
		tar tvf t.tar | grep -c 'link to'; tar df t.tar; rm t.tar`},
	{name: "git clone --local", needs: []string{"git"}, script: `
		export GIT_CONFIG_GLOBAL=/dev/null GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
		export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z'
		git init -q -b main one; cp "$1"/text.txt one; git -C one add .; git -C one commit -q -m first
		git clone -q one two; git -C two log --format=%H; git -C two fsck 2>&1; git -C two status --short
		find two/.git/objects -type f -links 2 | wc -l; rm -rf two/.git/config one/.git/index one/.git/logs two/.git/index two/.git/logs one/.git/hooks two/.git/hooks`},
	{name: "lock", script: `
		lock() { echo $1 > l.$1; ln l.$1 lock 2>/dev/null || true; stat -c %h l.$1; }
		lock 1; lock 2; rm lock l.1; lock 3; rm l.2 l.3; cat lock`},
	{name: "vim", needs: []string{"vim"}, script: `
		cp "$1"/text.txt a; ln a b
		vim -es -u NONE -c 'set nocp backup writebackup backupcopy=yes' -c '%s/one/ONE/' -c wq a </dev/null; cat b
		vim -es -u NONE -c 'set nocp backup writebackup backupcopy=no' -c '%s/two/TWO/' -c wq b </dev/null; cat a; cat b`},
	{name: "python", needs: []string{"python3"}, script: `
		python3 - <<-'EOT'
		import mmap, os
		open('a', 'wb').write(b'x' * 100000)
		os.link('a', 'b')
		with open('a', 'r+b') as f, open('b', 'r+b') as g:
		    m = mmap.mmap(f.fileno(), 0)
		    m[0:5] = b'mmap!'
		    m.flush()
		    g.seek(0); print(g.read(6)); g.write(b'other'); g.flush()
		    print(m[6:11], os.fstat(f.fileno()).st_nlink)
		    os.unlink('a'); print(os.fstat(f.fileno()).st_nlink)
		    f.truncate(50); m.close()
		print(os.stat('b').st_size, os.path.exists('a'))
		r = open('b', 'rb'); open('c', 'wb').write(b'new'); os.replace('c', 'b'); print(len(r.read()))
		EOT`},
}

// TestLinks: programs that link files leave the same on a mount as on a local
// disk, also when it is mounted again, and S3 has the bytes under each name.
func TestLinks(t *testing.T) {
	t.Parallel()
	for _, a := range linkApps {
		t.Run(a.name, func(t *testing.T) {
			harness.Run(t, harness.Config{}, a.runLinks)
		})
	}
}

func (a app) runLinks(t *testing.T, w *harness.World) {
	harness.Need(t, a.needs...)
	src := fixture(t, w.Dir(t, "fixture"))
	local := w.Dir(t, "local")
	wantOut := w.Sh(t, local, a.script, src)
	want := w.Sh(t, local, linkShape)

	bucket := w.Bucket(t)
	m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket})
	if out := w.Sh(t, m.Dir, a.script, src); out != wantOut {
		t.Errorf("the output differs\n--- local\n%s\n--- mount\n%s", wantOut, out)
	}
	for _, when := range []string{"at once", "mounted again"} {
		if got := w.Sh(t, m.Dir, linkShape); got != want {
			t.Errorf("%s, the names differ\n--- local\n%s\n--- mount\n%s", when, want, got)
		}
		w.Sh(t, m.Dir, "find . -type d -exec sync {} +") // deletes are gathered for a moment
		if d, err := snapshot(t, m.Dir).DiffObjects(w.Context(t), bucket, ""); err != nil || d != "" {
			t.Errorf("%s, the bucket differs from the mount (%v):\n%s", when, err, d)
		}
		m = m.Remount(t)
	}
	m.Unmount(t)
}

// TestLinksOfTwoMounts: what one mount links the other sees at its next open,
// and neither undoes what the other wrote under another name.
func TestLinksOfTwoMounts(t *testing.T) {
	t.Parallel()
	run(t, "all", func(t *testing.T, w *harness.World) {
		b := w.Bucket(t)
		mount := func() *harness.Mount {
			return w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: b.Bucket, Args: []string{"--metadata-ttl", "1s"}})
		}
		one, two := mount(), mount()
		must(t, os.WriteFile(one.Path("a"), []byte("first"), 0o644))
		if got, err := os.ReadFile(two.Path("a")); err != nil || string(got) != "first" {
			t.Fatalf("the other mount reads %q, %v", got, err)
		}
		must(t, os.Link(one.Path("a"), one.Path("b")))
		must(t, os.WriteFile(two.Path("b"), []byte("second"), 0o644))
		for _, m := range []*harness.Mount{one, two} {
			for _, name := range []string{"a", "b"} {
				if got, err := os.ReadFile(m.Path(name)); err != nil || string(got) != "second" {
					t.Errorf("%s holds %q, %v", name, got, err)
				}
			}
		}
		must(t, os.Link(two.Path("b"), two.Path("c")))
		f, err := os.OpenFile(one.Path("a"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = f.WriteString("+third")
		must(t, err)
		must(t, f.Close())
		if got, err := os.ReadFile(two.Path("c")); err != nil || string(got) != "second+third" {
			t.Errorf("c holds %q, %v", got, err)
		}
		var st unix.Stat_t
		must(t, unix.Stat(two.Path("c"), &st))
		if st.Nlink != 3 {
			t.Errorf("%d links, want 3", st.Nlink)
		}
		wantErrno(t, "link", os.Link(one.Path("a"), one.Path("b")), syscall.EEXIST)
	})
}
