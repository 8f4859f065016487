package answers

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

func truncateCases(r *reporter) {
	for _, size := range []int64{-1, 0, 3, 7, 10, 70000} {
		for _, a := range []actor{root, owner, other} {
			for _, perm := range []uint32{0o400, 0o644, 0o666, 0o6777} {
				r.run(fmt.Sprintf("to %d by %s of %04o", size, a.name, perm), func(c *scene) {
					c.make(file, "x", perm, owner)
					c.try("truncate", a.as(func() error { return unix.Truncate(c.p("x"), size) }))
					c.look("x")
					c.content("x")
				})
			}
		}
		r.run(fmt.Sprintf("open file to %d", size), func(c *scene) {
			for _, flags := range []int{unix.O_RDONLY, unix.O_WRONLY, unix.O_RDWR} {
				name := fmt.Sprintf("x%d", flags)
				c.make(file, name, 0o644, root)
				fd, err := unix.Open(c.p(name), flags, 0)
				c.must(err)
				c.try("ftruncate "+name, unix.Ftruncate(fd, size))
				c.must(unix.Close(fd))
				c.look(name)
				c.content(name)
			}
		})
	}
	for _, k := range kinds {
		r.run("kind "+k.name, func(c *scene) {
			c.make(k, "x", 0o666, root)
			c.try("truncate", unix.Truncate(c.p("x"), 3))
			c.look("x")
		})
	}
	r.run("times", func(c *scene) {
		c.make(file, "x", 0o644, owner)
		for _, size := range []int64{3, 3, 10, 0} {
			c.times(fmt.Sprintf("truncate to %d", size), []string{"x", "."}, func() error { return unix.Truncate(c.p("x"), size) })
		}
		c.times("refused truncate", []string{"x"}, func() error {
			return other.as(func() error { return unix.Truncate(c.p("x"), 1) })
		})
		fd, err := unix.Open(c.p("x"), unix.O_RDWR, 0)
		c.must(err)
		for _, size := range []int64{4, 4, 1} {
			c.times(fmt.Sprintf("ftruncate to %d", size), []string{"x"}, func() error { return unix.Ftruncate(fd, size) })
		}
		c.must(unix.Close(fd))
	})
}

// content formats the content of a file. It replaces zeros with their number.
func (c *scene) content(name string) {
	b, err := os.ReadFile(c.p(name))
	text, zeros := "", 0
	for _, x := range b {
		if x == 0 {
			zeros++
		} else {
			text += string(rune(x))
		}
	}
	c.tell("content of "+name, fmt.Sprintf("%q and %d zeros, %s", text, zeros, errnoName(err)))
}

func openCases(r *reporter) {
	modes := []struct {
		name  string
		flags int
	}{
		{"r", unix.O_RDONLY}, {"w", unix.O_WRONLY}, {"rw", unix.O_RDWR}, {"r trunc", unix.O_RDONLY | unix.O_TRUNC},
		{"w trunc", unix.O_WRONLY | unix.O_TRUNC}, {"w append", unix.O_WRONLY | unix.O_APPEND},
		{"w creat", unix.O_WRONLY | unix.O_CREAT}, {"w creat excl", unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL},
		{"r nofollow", unix.O_RDONLY | unix.O_NOFOLLOW}, {"r directory", unix.O_RDONLY | unix.O_DIRECTORY},
		{"w directory", unix.O_WRONLY | unix.O_DIRECTORY}, {"path", unix.O_PATH},
	}
	open := func(p string, flags int) error {
		fd, err := unix.Open(p, flags|unix.O_NONBLOCK|unix.O_CLOEXEC, 0o644)
		if err == nil {
			err = unix.Close(fd)
		}
		return err
	}
	for _, m := range modes {
		for _, k := range kinds {
			r.run(k.name+" "+m.name, func(c *scene) {
				c.make(k, "x", 0o666, root)
				c.try("open", open(c.p("x"), m.flags))
				c.look("x")
				c.look("nowhere")
			})
		}
		for _, k := range []kind{file, dir} {
			r.run(fmt.Sprintf("rights %s %s", k.name, m.name), func(c *scene) {
				for bits := range uint32(8) {
					for _, who := range []struct {
						actor
						shift uint32
						gid   int
					}{{owner, 6, owner.gid}, {owner, 3, 65532}, {other, 0, owner.gid}} {
						name := fmt.Sprintf("%s %04o by %d", who.name, bits<<who.shift, who.shift)
						c.make(k, name, bits<<who.shift, owner)
						if who.shift == 3 {
							c.must(unix.Chown(c.p(name), other.uid, who.gid))
						}
						c.try(name, who.as(func() error { return open(c.p(name), m.flags) }))
					}
				}
			})
		}
	}
	r.run("times", func(c *scene) {
		c.make(file, "x", 0o644, root)
		for _, m := range modes[:6] {
			c.times(m.name, []string{"x"}, func() error { return open(c.p("x"), m.flags) })
		}
		c.times("create of one that exists", []string{"x", "."}, func() error { return open(c.p("x"), unix.O_CREAT|unix.O_WRONLY) })
		c.times("create", []string{"."}, func() error { return open(c.p("y"), unix.O_CREAT|unix.O_WRONLY) })
		fd, err := unix.Open(c.p("x"), unix.O_WRONLY, 0)
		c.must(err)
		c.times("write", []string{"x"}, func() error { _, err := unix.Write(fd, []byte("z")); return err })
		c.times("write of nothing", []string{"x"}, func() error { _, err := unix.Write(fd, nil); return err })
		c.must(unix.Close(fd))
	})
	r.run("suid after a write", func(c *scene) {
		for _, mode := range []uint32{0o6777, 0o4777, 0o2777, 0o2767} {
			for _, a := range []actor{root, owner, other} {
				name := fmt.Sprintf("%s %04o", a.name, mode)
				c.make(file, name, mode, owner)
				c.try(name, a.as(func() error { return os.WriteFile(c.p(name), []byte("more than before"), 0) }))
				c.look(name)
			}
		}
	})
}

// makeCases runs the cases of calls that create a name, for each kind of file.
func makeCases(r *reporter, made ...kind) {
	for _, k := range made {
		mk := func(p string, perm uint32) error {
			switch k {
			case dir:
				return unix.Mkdir(p, perm)
			case symlink:
				return unix.Symlink("to", p)
			case file:
				fd, err := unix.Open(p, unix.O_CREAT|unix.O_EXCL|unix.O_RDWR|unix.O_NONBLOCK, perm)
				if err == nil {
					err = unix.Close(fd)
				}
				return err
			}
			return unix.Mknod(p, k.bits|perm, device)
		}
		for _, mode := range someModes {
			for _, umask := range []int{0, 0o022, 0o077, 0o777} {
				r.run(fmt.Sprintf("%s %04o umask %03o", k.name, mode, umask), func(c *scene) {
					c.must(unix.Chmod(c.dir, 0o777))
					unix.Umask(umask)
					for _, a := range []actor{root, owner} {
						c.try(a.name, a.as(func() error { return mk(c.p(a.name), mode) }))
					}
					unix.Umask(0)
					c.look("root")
					c.look("owner")
				})
			}
		}
		for _, parent := range []uint32{0o777, 0o2777, 0o1777, 0o755, 0o555, 0o333} {
			r.run(fmt.Sprintf("%s in a directory of %04o", k.name, parent), func(c *scene) {
				c.make(dir, "d", parent, owner)
				c.must(unix.Chown(c.p("d"), owner.uid, 65532))
				c.must(unix.Chmod(c.p("d"), parent))
				for _, a := range []actor{root, owner, other} {
					c.try(a.name, a.as(func() error { return mk(c.p("d/"+a.name), 0o2770) }))
					c.look("d/" + a.name)
				}
			})
		}
		r.run(k.name+" times", func(c *scene) {
			c.make(dir, "d", 0o755, root)
			c.times("make", []string{"d", "."}, func() error { return mk(c.p("d/x"), 0o644) })
			c.times("make again", []string{"d", "d/x"}, func() error { return mk(c.p("d/x"), 0o644) })
		})
	}
}

func fallocateCases(r *reporter) {
	const keep, punch, collapse, zero, insert = unix.FALLOC_FL_KEEP_SIZE, unix.FALLOC_FL_PUNCH_HOLE, unix.FALLOC_FL_COLLAPSE_RANGE,
		unix.FALLOC_FL_ZERO_RANGE, unix.FALLOC_FL_INSERT_RANGE
	modes := []struct {
		name string
		mode uint32
	}{
		{"allocate", 0}, {"keep size", keep}, {"punch", punch | keep}, {"punch and grow", punch},
		{"zero", zero}, {"zero and keep size", zero | keep}, {"collapse", collapse}, {"insert", insert},
	}
	for _, m := range modes {
		for _, rng := range [][2]int64{{0, 10000}, {2000, 3000}, {9000, 5000}, {20000, 1000}, {-1, 5}, {0, 0}, {0, -1}} {
			r.run(fmt.Sprintf("%s %d+%d", m.name, rng[0], rng[1]), func(c *scene) {
				c.must(os.WriteFile(c.p("x"), []byte(fmt.Sprintf("%10000d", 7)), 0o644))
				for _, flags := range []int{unix.O_RDWR, unix.O_RDONLY} {
					fd, err := unix.Open(c.p("x"), flags, 0)
					c.must(err)
					c.try(fmt.Sprintf("open as %d", flags), unix.Fallocate(fd, m.mode, rng[0], rng[1]))
					c.must(unix.Close(fd))
				}
				c.look("x")
				b, err := os.ReadFile(c.p("x"))
				c.must(err)
				first, zeros := -1, 0
				for i, v := range b {
					if v == 0 {
						zeros++
						if first < 0 {
							first = i
						}
					}
				}
				c.tell("zeros", fmt.Sprintf("%d from %d", zeros, first))
			})
		}
	}
	for _, k := range []kind{dir, fifo} {
		r.run("of a "+k.name, func(c *scene) {
			c.make(k, "x", 0o644, root)
			fd, err := unix.Open(c.p("x"), unix.O_RDONLY|unix.O_NONBLOCK, 0)
			c.must(err)
			c.try("fallocate", unix.Fallocate(fd, 0, 0, 10))
			c.must(unix.Close(fd))
		})
	}
}
