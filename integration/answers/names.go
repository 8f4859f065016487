package answers

import (
	"fmt"

	"golang.org/x/sys/unix"
)

func linkCases(r *reporter) {
	for _, k := range kinds {
		r.run(k.name, func(c *scene) {
			c.make(k, "x", 0o644, owner)
			c.try("link", unix.Link(c.p("x"), c.p("y")))
			_ = unix.Unlink(c.p("y")) // there is one only where links can be made
			c.look("x")
		})
		r.run("over a "+k.name, func(c *scene) {
			c.make(file, "x", 0o644, root)
			c.make(k, "y", 0o644, root)
			c.try("link", unix.Link(c.p("x"), c.p("y")))
			c.look("y")
		})
	}
}

func renameCases(r *reporter) {
	flags := []struct {
		name string
		bits uint
	}{
		{"", 0}, {" noreplace", unix.RENAME_NOREPLACE}, {" exchange", unix.RENAME_EXCHANGE},
		{" both", unix.RENAME_EXCHANGE | unix.RENAME_NOREPLACE}, {" unknown", 1 << 10},
	}
	for _, fl := range flags {
		for _, from := range kinds {
			r.run(from.name+" to nothing"+fl.name, func(c *scene) {
				c.make(from, "x", 0o751, owner)
				c.sameInode("x", "y", func() error {
					return unix.Renameat2(unix.AT_FDCWD, c.p("x"), unix.AT_FDCWD, c.p("y"), fl.bits)
				})
				c.look("x")
				c.look("y")
			})
			for _, to := range kinds {
				r.run(from.name+" to "+to.name+fl.name, func(c *scene) {
					c.make(from, "x", 0o751, owner)
					c.make(to, "y", 0o640, other)
					c.sameInode("x", "y", func() error {
						return unix.Renameat2(unix.AT_FDCWD, c.p("x"), unix.AT_FDCWD, c.p("y"), fl.bits)
					})
					c.look("x")
					c.look("y")
				})
			}
		}
	}
	renameDirCases(r)
	stickyCases(r, "rename from", func(c *scene, dir, name string) error { return unix.Rename(c.p(dir+"/"+name), c.p("free/to")) })
	stickyCases(r, "rename to", func(c *scene, dir, name string) error { return unix.Rename(c.p("free/"+name), c.p(dir+"/"+name)) })
	for _, k := range kinds {
		r.run("times of a "+k.name, func(c *scene) {
			c.make(dir, "a", 0o755, root)
			c.make(dir, "b", 0o755, root)
			c.make(k, "a/x", 0o644, root)
			c.times("rename", []string{"a", "b"}, func() error { return unix.Rename(c.p("a/x"), c.p("b/y")) })
			c.times("refused rename", []string{"a", "b"}, func() error { return unix.Rename(c.p("a/x"), c.p("b/z")) })
		})
	}
}

// sameInode reports whether the file of one name has the other name after the call.
func (c *scene) sameInode(from, to string, call func() error) {
	var before, after unix.Stat_t
	c.must(unix.Lstat(c.p(from), &before))
	err := call()
	c.try("rename", err)
	if err == nil {
		c.must(unix.Lstat(c.p(to), &after))
		c.tell("the inode number", fmt.Sprintf("kept: %v", before.Ino == after.Ino))
	}
}

func renameDirCases(r *reporter) {
	pairs := []struct{ name, from, to string }{
		{"into itself", "d", "d/e"}, {"deep into itself", "d", "d/sub/e"}, {"onto its parent", "d/sub", "d"},
		{"onto a full one", "d", "full"}, {"onto an empty one", "d", "empty"}, {"onto itself", "d", "d"},
		{"dot", "d/.", "e"}, {"dot dot", "d/..", "e"}, {"to dot", "d", "full/."}, {"to dot dot", "empty", "d/.."},
		{"a file onto itself", "f", "f"}, {"a file over a full one", "f", "full"}, {"over a file", "d", "f"},
		{"with slashes", "d/", "e/"}, {"a file with a slash", "f", "e/"}, {"a file from a slash", "f/", "e"},
	}
	for _, p := range pairs {
		r.run(p.name, func(c *scene) {
			c.make(dir, "d", 0o755, root)
			c.make(dir, "d/sub", 0o750, root)
			c.make(file, "d/file", 0o640, owner)
			c.make(dir, "empty", 0o755, root)
			c.make(dir, "full", 0o755, root)
			c.make(file, "full/file", 0o644, root)
			c.make(file, "f", 0o644, root)
			c.try("rename", unix.Rename(c.p(p.from), c.p(p.to)))
			for _, name := range []string{"d", "d/sub", "d/file", "empty", "empty/file", "empty/sub", "full", "full/file", "e", "e/sub", "e/file", "f"} {
				c.look(name)
			}
		})
	}
	r.run("without the right to write into it", func(c *scene) {
		c.must(unix.Chmod(c.dir, 0o777))
		c.make(dir, "a", 0o777, root)
		for _, perm := range []uint32{0o755, 0o555} {
			name := fmt.Sprintf("%o", perm)
			c.make(dir, name, perm, owner)
			c.try("to another name "+name, owner.as(func() error { return unix.Rename(c.p(name), c.p(name+"x")) }))
			c.try("to another directory "+name, owner.as(func() error { return unix.Rename(c.p(name+"x"), c.p("a/"+name)) }))
			c.look(name + "x")
			c.look("a/" + name)
		}
	})
	r.run("rights", func(c *scene) {
		for _, from := range []uint32{0o777, 0o755, 0o711} {
			for _, to := range []uint32{0o777, 0o755, 0o711} {
				name := fmt.Sprintf("%o %o", from, to)
				c.make(dir, "from "+name, from, root)
				c.make(dir, "to "+name, to, root)
				c.make(file, "from "+name+"/x", 0o644, owner)
				c.try(name, owner.as(func() error { return unix.Rename(c.p("from "+name+"/x"), c.p("to "+name+"/x")) }))
				c.look("to " + name + "/x")
			}
		}
	})
}

// stickyCases ask whether a user may take a name away: in a sticky directory
// only the owner of the file or of the directory may.
func stickyCases(r *reporter, name string, call func(c *scene, dir, name string) error, only ...kind) {
	if len(only) == 0 {
		only = kinds
	}
	for _, perm := range []uint32{0o777, 0o1777, 0o1755} {
		for _, dirOwner := range []actor{root, owner, other} {
			r.run(fmt.Sprintf("%s %04o of %s", name, perm, dirOwner.name), func(c *scene) {
				c.make(dir, "d", perm, dirOwner)
				c.make(dir, "free", 0o777, root)
				for _, k := range only {
					for _, has := range []actor{root, owner, other} {
						n := k.name + " of " + has.name
						c.make(k, "d/"+n, 0o755, has)
						c.make(k, "free/"+n, 0o755, owner)
						c.try(n, owner.as(func() error { return call(c, "d", n) }))
						c.look("d/" + n)
						c.must(removeAll(c.p("free/to")))
						c.must(removeAll(c.p("free/" + n)))
					}
				}
			})
		}
	}
}

func removeAll(p string) error {
	err := unix.Unlink(p)
	if err == unix.EISDIR {
		err = unix.Rmdir(p)
	}
	if err == unix.ENOENT {
		err = nil
	}
	return err
}

func rmdirCases(r *reporter) {
	for _, k := range kinds {
		r.run(k.name, func(c *scene) {
			c.make(k, "x", 0o755, root)
			c.try("rmdir", unix.Rmdir(c.p("x")))
			c.look("x")
		})
		r.run("with a "+k.name+" in it", func(c *scene) {
			c.make(dir, "d", 0o755, root)
			c.make(k, "d/x", 0o755, root)
			c.try("rmdir", unix.Rmdir(c.p("d")))
			c.look("d/x")
			c.must(removeAll(c.p("d/x")))
			c.try("rmdir when it is empty", unix.Rmdir(c.p("d")))
			c.look("d")
		})
	}
	for _, p := range []string{"d/.", "d/..", "d/", "d/sub/..", "nothing"} {
		r.run("path "+p, func(c *scene) {
			c.make(dir, "d", 0o755, root)
			c.make(dir, "d/sub", 0o755, root)
			c.try("rmdir", unix.Rmdir(c.p(p)))
			c.look("d")
		})
	}
	r.run("times", func(c *scene) {
		c.make(dir, "d", 0o755, root)
		c.make(dir, "d/x", 0o755, root)
		c.times("refused rmdir", []string{"d", "."}, func() error { return unix.Rmdir(c.p("d")) })
		c.times("rmdir", []string{"d", "."}, func() error { return unix.Rmdir(c.p("d/x")) })
	})
	r.run("open", func(c *scene) {
		c.make(dir, "d", 0o755, root)
		fd, err := unix.Open(c.p("d"), unix.O_RDONLY|unix.O_DIRECTORY, 0)
		c.must(err)
		c.try("rmdir", unix.Rmdir(c.p("d")))
		_, err = unix.Openat(fd, "x", unix.O_CREAT|unix.O_WRONLY, 0o644)
		c.try("create in it", err)
		c.try("mkdir in it", unix.Mkdirat(fd, "x", 0o755))
		n, err := unix.Getdents(fd, make([]byte, 1000))
		c.try("read it", err)
		c.tell("bytes of it", fmt.Sprint(n))
		c.must(unix.Close(fd))
	})
	stickyCases(r, "rmdir", func(c *scene, d, name string) error { return unix.Rmdir(c.p(d + "/" + name)) }, dir)
}

func unlinkCases(r *reporter) {
	for _, k := range kinds {
		r.run(k.name, func(c *scene) {
			c.make(k, "x", 0o755, root)
			c.try("unlink", unix.Unlink(c.p("x")))
			c.look("x")
		})
		r.run("times of a "+k.name, func(c *scene) {
			c.make(dir, "d", 0o755, root)
			c.make(k, "d/x", 0o755, root)
			c.times("unlink", []string{"d", "."}, func() error { return unix.Unlink(c.p("d/x")) })
			c.times("unlink of nothing", []string{"d"}, func() error { return unix.Unlink(c.p("d/y")) })
		})
	}
	r.run("open", func(c *scene) {
		c.make(file, "x", 0o644, root)
		fd, err := unix.Open(c.p("x"), unix.O_RDWR, 0)
		c.must(err)
		c.try("unlink", unix.Unlink(c.p("x")))
		var st unix.Stat_t
		c.try("fstat", unix.Fstat(fd, &st))
		c.tell("fstat", shown(&st))
		_, err = unix.Pwrite(fd, []byte("more"), 5)
		c.try("write", err)
		b := make([]byte, 100)
		n, err := unix.Pread(fd, b, 0)
		c.try("read", err)
		c.tell("content", fmt.Sprintf("%q", b[:max(n, 0)]))
		c.try("fchmod", unix.Fchmod(fd, 0o600))
		c.try("ftruncate", unix.Ftruncate(fd, 2))
		c.must(unix.Fstat(fd, &st))
		c.tell("fstat at the end", shown(&st))
		c.must(unix.Close(fd))
		c.look("x")
	})
	r.run("replaced while open", func(c *scene) {
		c.make(file, "x", 0o644, root)
		c.make(file, "y", 0o600, owner)
		fd, err := unix.Open(c.p("x"), unix.O_RDONLY, 0)
		c.must(err)
		c.must(unix.Truncate(c.p("y"), 3))
		c.try("rename over it", unix.Rename(c.p("y"), c.p("x")))
		b := make([]byte, 100)
		n, err := unix.Pread(fd, b, 0)
		c.try("read", err)
		c.tell("content", fmt.Sprintf("%q", b[:max(n, 0)]))
		var st unix.Stat_t
		c.must(unix.Fstat(fd, &st))
		c.tell("fstat", shown(&st))
		c.must(unix.Close(fd))
		c.content("x")
	})
	stickyCases(r, "unlink", func(c *scene, d, name string) error { return unix.Unlink(c.p(d + "/" + name)) })
}
