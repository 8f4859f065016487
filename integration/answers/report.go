package answers

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Run writes the report of dir, which must be empty and owned by root. The caller must
// be root.
func Run(dir string, to io.Writer) error {
	unix.Umask(0)
	w := bufio.NewWriter(to)
	r := &reporter{dir: dir, w: w}
	for _, f := range families {
		r.family = f.name
		f.cases(r)
	}
	if r.err != nil {
		return fmt.Errorf("prepare a case: %w", r.err)
	}
	return w.Flush()
}

// reporter runs the cases one after the other.
type reporter struct {
	dir    string
	w      *bufio.Writer
	family string
	seq    int
	err    error // the first that a preparation had
}

// run runs one case in a new directory.
func (r *reporter) run(name string, body func(c *scene)) {
	r.seq++
	c := &scene{r: r, name: name, dir: filepath.Join(r.dir, fmt.Sprintf("%s%d", r.family, r.seq))}
	c.must(unix.Mkdir(c.dir, 0o755))
	body(c)
	c.must(unix.Chmod(c.dir, 0o755))
	c.must(os.RemoveAll(c.dir))
}

// scene is a case that runs.
type scene struct {
	r         *reporter
	name, dir string
}

// p is a path in the case's directory.
func (c *scene) p(name string) string { return c.dir + "/" + name }

func (c *scene) tell(what, answer string) {
	fmt.Fprintf(c.r.w, "%s/%s: %s = %s\n", c.r.family, c.name, what, answer)
}

// must is for preparations, which no filesystem may refuse.
func (c *scene) must(err error) {
	if err != nil && c.r.err == nil {
		c.r.err = fmt.Errorf("%s/%s: %w", c.r.family, c.name, err)
		c.tell("prepare", err.Error())
	}
}

// try formats the errno of a call.
func (c *scene) try(what string, err error) { c.tell(what, errnoName(err)) }

func errnoName(err error) string {
	var errno unix.Errno
	switch {
	case err == nil:
		return "ok"
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

// look formats the result of lstat for a path in the directory of the case. It omits
// the size and link count of directories, which depend on the filesystem.
func (c *scene) look(name string) {
	var st unix.Stat_t
	if err := unix.Lstat(c.p(name), &st); err != nil {
		c.tell("lstat "+name, errnoName(err))
		return
	}
	c.tell("lstat "+name, shown(&st))
}

func shown(st *unix.Stat_t) string {
	s := fmt.Sprintf("%s %04o %d:%d", typeName(st.Mode), st.Mode&0o7777, st.Uid, st.Gid)
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		s += fmt.Sprintf(" size %d links %d", st.Size, st.Nlink)
	}
	if k := st.Mode & unix.S_IFMT; k == unix.S_IFCHR || k == unix.S_IFBLK {
		s += fmt.Sprintf(" device %d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	}
	return s
}

func typeName(mode uint32) string {
	for _, k := range kinds {
		if mode&unix.S_IFMT == k.bits {
			return k.name
		}
	}
	return "nothing known"
}

// tick is longer than the clock of any filesystem stands still: Linux stamps
// files with the time of the last timer interrupt, 10 ms apart at most.
const tick = 15 * time.Millisecond

// times describes which times of which paths a call has changed.
func (c *scene) times(what string, names []string, call func() error) {
	before := make([]unix.Stat_t, len(names))
	for i, name := range names {
		c.must(unix.Lstat(c.p(name), &before[i]))
	}
	time.Sleep(tick)
	c.try(what, call())
	for i, name := range names {
		var st unix.Stat_t
		if err := unix.Lstat(c.p(name), &st); err != nil {
			continue // gone: its errno is told by look
		}
		var all []string
		if st.Mtim != before[i].Mtim {
			all = append(all, "mtime")
		}
		if st.Ctim != before[i].Ctim {
			all = append(all, "ctime")
		}
		c.tell("changed of "+name+" by "+what, strings.Join(all, " "))
	}
}
