package answers

import (
	"strings"

	"golang.org/x/sys/unix"
)

// pathCall is a system call that resolves a path. want is the kind of file that must
// exist for it to succeed.
type pathCall struct {
	name string
	want kind // zero: nothing may be there
	call func(p string) error
}

// pathCalls need, for the paths that they do not test, the directory tmp of the
// case: rename has a second path.
func (c *scene) pathCalls() []pathCall {
	none := kind{}
	closing := func(fd int, err error) error {
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	return []pathCall{
		{"stat", file, func(p string) error { return unix.Stat(p, &unix.Stat_t{}) }},
		{"lstat", file, func(p string) error { return unix.Lstat(p, &unix.Stat_t{}) }},
		{"access", file, func(p string) error { return unix.Access(p, unix.F_OK) }},
		{"chmod", file, func(p string) error { return unix.Chmod(p, 0o640) }},
		{"chown", file, func(p string) error { return unix.Chown(p, -1, -1) }},
		{"lchown", file, func(p string) error { return unix.Lchown(p, -1, -1) }},
		{"truncate", file, func(p string) error { return unix.Truncate(p, 3) }},
		{"utimensat", file, func(p string) error { return unix.UtimesNanoAt(unix.AT_FDCWD, p, nil, 0) }},
		{"readlink", symlink, func(p string) error { _, err := unix.Readlink(p, make([]byte, 100)); return err }},
		{"open", file, func(p string) error { return closing(unix.Open(p, unix.O_RDONLY|unix.O_NONBLOCK, 0)) }},
		{"open for writing", file, func(p string) error { return closing(unix.Open(p, unix.O_WRONLY|unix.O_NONBLOCK, 0)) }},
		{"open a directory", dir, func(p string) error { return closing(unix.Open(p, unix.O_RDONLY|unix.O_DIRECTORY, 0)) }},
		{"create", none, func(p string) error { return closing(unix.Open(p, unix.O_WRONLY|unix.O_NONBLOCK|unix.O_CREAT, 0o644)) }},
		{"create new", none, func(p string) error { return closing(unix.Open(p, unix.O_WRONLY|unix.O_CREAT|unix.O_EXCL, 0o644)) }},
		{"mkdir", none, func(p string) error { return unix.Mkdir(p, 0o755) }},
		{"mkfifo", none, func(p string) error { return unix.Mkfifo(p, 0o644) }},
		{"mknod", none, func(p string) error { return unix.Mknod(p, unix.S_IFSOCK|0o644, 0) }},
		{"symlink", none, func(p string) error { return unix.Symlink("to", p) }},
		{"unlink", file, unix.Unlink},
		{"rmdir", dir, unix.Rmdir},
		{"rename from", file, func(p string) error { return unix.Rename(p, c.p("tmp/to")) }},
		{"rename to", none, func(p string) error { return unix.Rename(c.p("tmp/from"), p) }},
		{"rename a directory to", none, func(p string) error { return unix.Rename(c.p("tmp/dir"), p) }},
	}
}

// pathCase is a path with something about it.
type pathCase struct {
	name string
	who  actor
	// prepare creates the files of the case and returns the path. want is the kind of
	// file that the call needs.
	prepare func(c *scene, want kind) string
}

// there creates the file that a call needs.
func (c *scene) there(want kind, name string) string {
	if want.name != "" {
		c.make(want, name, 0o755, root)
	}
	return c.p(name)
}

func pathCases(r *reporter) {
	for _, pc := range allPathCases() {
		for _, call := range (&scene{}).pathCalls() {
			r.run(pc.name+"/"+call.name, func(c *scene) {
				c.make(dir, "tmp", 0o777, root)
				c.make(file, "tmp/from", 0o644, pc.who)
				c.make(dir, "tmp/dir", 0o755, pc.who)
				p := pc.prepare(c, call.want)
				for _, same := range c.pathCalls() {
					if same.name == call.name {
						c.try("call", pc.who.as(func() error { return same.call(p) }))
					}
				}
				c.look("x")
				c.look("d/x")
				c.look("tmp/from")
				c.look("tmp/to")
			})
		}
	}
}

func allPathCases() []pathCase {
	cases := []pathCase{
		{"plain", root, func(c *scene, want kind) string { return c.there(want, "x") }},
		{"missing", root, func(c *scene, _ kind) string { return c.p("x") }},
		{"missing directory", root, func(c *scene, _ kind) string { return c.p("d/x") }},
		{"empty path", root, func(*scene, kind) string { return "" }},
		{"name of 255", root, func(c *scene, want kind) string { return c.there(want, strings.Repeat("n", 255)) }},
		{"name of 256", root, func(c *scene, _ kind) string { return c.p(strings.Repeat("n", 256)) }},
		{"directory name of 256", root, func(c *scene, _ kind) string { return c.p(strings.Repeat("n", 256) + "/x") }},
		{"path of 4096", root, func(c *scene, want kind) string {
			c.there(want, "x")
			return c.dir + strings.Repeat("/.", (4096-len(c.dir))/2) + "/x"
		}},
		{"symlink to it", root, func(c *scene, want kind) string {
			c.there(want, "x")
			c.must(unix.Symlink("x", c.p("l")))
			return c.p("l")
		}},
		{"symlink to nothing", root, func(c *scene, _ kind) string {
			c.must(unix.Symlink("nothing", c.p("l")))
			return c.p("l")
		}},
		{"symlink to itself", root, func(c *scene, _ kind) string {
			c.must(unix.Symlink("l", c.p("l")))
			return c.p("l")
		}},
		{"below a symlink to itself", root, func(c *scene, _ kind) string {
			c.must(unix.Symlink("l", c.p("l")))
			return c.p("l/x")
		}},
		{"two symlinks in a ring", root, func(c *scene, _ kind) string {
			c.must(unix.Symlink("m", c.p("l")))
			c.must(unix.Symlink("l", c.p("m")))
			return c.p("l/x")
		}},
		{"through a symlink", root, func(c *scene, want kind) string {
			c.make(dir, "d", 0o755, root)
			c.must(unix.Symlink("d", c.p("l")))
			c.there(want, "d/x")
			return c.p("l/x")
		}},
		{"slash at the end", root, func(c *scene, want kind) string { return c.there(want, "x") + "/" }},
		{"slash behind a directory", root, func(c *scene, _ kind) string { return c.there(dir, "x") + "/" }},
		{"slash behind a symlink to a directory", root, func(c *scene, _ kind) string {
			c.there(dir, "x")
			c.must(unix.Symlink("x", c.p("l")))
			return c.p("l/")
		}},
		{"slash behind nothing", root, func(c *scene, _ kind) string { return c.p("x/") }},
		{"dot", root, func(c *scene, _ kind) string { return c.there(dir, "d") + "/." }},
		{"dot dot", root, func(c *scene, _ kind) string { return c.there(dir, "d") + "/.." }},
		{"over dot dot", root, func(c *scene, want kind) string {
			c.there(dir, "d")
			c.there(want, "x")
			return c.p("d/../x")
		}},
		{"no right to search", other, func(c *scene, want kind) string {
			c.make(dir, "d", 0o755, root)
			p := c.there(want, "d/x")
			c.must(unix.Chmod(c.p("d"), 0o644))
			return p
		}},
		{"no right to write", other, func(c *scene, want kind) string {
			c.make(dir, "d", 0o755, root)
			return c.there(want, "d/x")
		}},
		{"no right to read", other, func(c *scene, want kind) string {
			c.make(dir, "d", 0o755, root)
			p := c.there(want, "d/x")
			c.must(unix.Chmod(c.p("d"), 0o733))
			return p
		}},
	}
	for _, k := range kinds {
		cases = append(cases, pathCase{"there is a " + k.name, root, func(c *scene, _ kind) string {
			c.make(k, "x", 0o755, root)
			return c.p("x")
		}})
		if k != dir {
			cases = append(cases, pathCase{"below a " + k.name, root, func(c *scene, _ kind) string {
				c.make(k, "d", 0o755, root)
				return c.p("d/x")
			}})
		}
	}
	return cases
}
