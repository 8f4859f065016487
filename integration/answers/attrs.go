package answers

import (
	"fmt"

	"golang.org/x/sys/unix"
)

var someModes = []uint32{0, 0o111, 0o644, 0o755, 0o777, 0o1777, 0o2755, 0o2644, 0o4755, 0o6755, 0o7777}

func chmodCases(r *reporter) {
	for _, k := range kinds {
		if k == symlink {
			continue
		}
		for _, mode := range someModes {
			r.run(fmt.Sprintf("%s to %04o", k.name, mode), func(c *scene) {
				c.make(k, "x", 0o600, root)
				c.try("by root", unix.Chmod(c.p("x"), mode))
				c.look("x")
				for _, a := range []actor{owner, other} {
					c.make(k, a.name, 0o600, owner)
					c.try("by "+a.name, a.as(func() error { return unix.Chmod(c.p(a.name), mode) }))
					c.look(a.name)
				}
				// A group that the caller is not in loses setgid.
				c.make(k, "g", 0o600, owner)
				c.must(unix.Chown(c.p("g"), owner.uid, other.gid))
				c.try("by the owner in another group", owner.as(func() error { return unix.Chmod(c.p("g"), mode) }))
				c.look("g")
			})
		}
		r.run("times of a "+k.name, func(c *scene) {
			c.make(k, "x", 0o600, owner)
			c.times("chmod", []string{"x", "."}, func() error { return unix.Chmod(c.p("x"), 0o640) })
			c.times("chmod to the same", []string{"x"}, func() error { return unix.Chmod(c.p("x"), 0o640) })
			c.times("refused chmod", []string{"x"}, func() error {
				return other.as(func() error { return unix.Chmod(c.p("x"), 0o600) })
			})
		})
	}
	r.run("through a symlink", func(c *scene) {
		c.make(file, "x", 0o600, root)
		c.must(unix.Symlink("x", c.p("l")))
		c.try("chmod", unix.Chmod(c.p("l"), 0o640))
		c.look("x")
		c.look("l")
	})
	r.run("open", func(c *scene) {
		c.make(file, "x", 0o600, root)
		fd, err := unix.Open(c.p("x"), unix.O_RDWR, 0)
		c.must(err)
		c.try("fchmod", unix.Fchmod(fd, 0))
		_, err = unix.Write(fd, []byte("more"))
		c.try("write after it", err)
		c.must(unix.Close(fd))
		c.look("x")
	})
}

func chownCases(r *reporter) {
	ids := []int{-1, 0, owner.uid, other.uid, 65532, 1 << 30}
	for _, k := range kinds {
		for _, a := range []actor{root, owner, other} {
			for _, uid := range ids {
				r.run(fmt.Sprintf("%s to %d by %s", k.name, uid, a.name), func(c *scene) {
					for _, gid := range ids {
						name := fmt.Sprintf("to %d", gid)
						c.make(k, name, 0o6755, owner)
						c.try(name, a.as(func() error { return unix.Lchown(c.p(name), uid, gid) }))
						c.look(name)
					}
				})
			}
		}
		r.run("times of a "+k.name, func(c *scene) {
			c.make(k, "x", 0o600, owner)
			c.times("chown", []string{"x", "."}, func() error { return unix.Lchown(c.p("x"), 0, 0) })
			c.times("refused chown", []string{"x"}, func() error {
				return other.as(func() error { return unix.Lchown(c.p("x"), other.uid, -1) })
			})
		})
	}
	for _, mode := range someModes {
		r.run(fmt.Sprintf("bits of %04o", mode), func(c *scene) {
			for _, k := range []kind{file, dir, fifo} {
				for _, a := range []actor{root, owner} {
					name := k.name + " by " + a.name
					c.make(k, name, mode, owner)
					c.try(name, a.as(func() error { return unix.Chown(c.p(name), -1, 65532) }))
					c.look(name)
				}
			}
		})
	}
}

func utimensatCases(r *reporter) {
	at := unix.Timespec{Sec: 1_500_000_000, Nsec: 123456789}
	now, omit := unix.Timespec{Nsec: unix.UTIME_NOW}, unix.Timespec{Nsec: unix.UTIME_OMIT}
	times := []struct {
		name string
		ts   []unix.Timespec
	}{
		{"null", nil},
		{"now", []unix.Timespec{now, now}}, {"omit", []unix.Timespec{omit, omit}},
		{"both", []unix.Timespec{at, at}}, {"atime", []unix.Timespec{at, omit}}, {"mtime", []unix.Timespec{omit, at}},
		{"now and omit", []unix.Timespec{now, omit}}, {"before 1970", []unix.Timespec{{Sec: -1, Nsec: 5}, {Sec: -86400, Nsec: 1}}},
		{"after 2038", []unix.Timespec{{Sec: 1 << 32}, {Sec: 1<<32 + 1, Nsec: 999999999}}},
		{"too many ns", []unix.Timespec{{Sec: 1, Nsec: 1e9}, at}},
	}
	for _, k := range kinds {
		for _, ts := range times {
			r.run(k.name+" "+ts.name, func(c *scene) {
				for _, a := range []actor{root, owner, other} {
					for _, perm := range []uint32{0o400, 0o666} {
						name := fmt.Sprintf("%s %o", a.name, perm)
						c.make(k, name, perm, owner)
						c.try("by "+name, a.as(func() error {
							return unix.UtimesNanoAt(unix.AT_FDCWD, c.p(name), ts.ts, unix.AT_SYMLINK_NOFOLLOW)
						}))
						var st unix.Stat_t
						c.must(unix.Lstat(c.p(name), &st))
						c.tell("atime by "+name, setTime(st.Atim))
						c.tell("mtime by "+name, setTime(st.Mtim))
					}
				}
			})
		}
		r.run("times of a "+k.name, func(c *scene) {
			c.make(k, "x", 0o600, owner)
			c.times("utimensat", []string{"x", "."}, func() error {
				return unix.UtimesNanoAt(unix.AT_FDCWD, c.p("x"), []unix.Timespec{at, at}, unix.AT_SYMLINK_NOFOLLOW)
			})
		})
	}
}

// setTime formats a time that a case has set. It returns "today" for other times.
func setTime(t unix.Timespec) string {
	if t.Sec > 1_600_000_000 && t.Sec < 4_000_000_000 {
		return "today"
	}
	return fmt.Sprintf("%d.%09d", t.Sec, t.Nsec)
}
