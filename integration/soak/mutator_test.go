package soak

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
)

// record is a line of a history. The mutator writes one before and one after
// each operation.
type record struct {
	operation
	Done  bool
	Errno string `json:",omitempty"`
	Wrong string `json:",omitempty"` // a difference that a read found
}

func (r record) String() string {
	return fmt.Sprintf("%s %s %s size %d mode %v done %v %s %s", r.Op, r.Name, r.To, r.Size, r.Mode, r.Done, r.Errno, r.Wrong)
}

// mutator executes and records random operations on its own tree.
type mutator struct {
	dir     string
	rand    *rand.Rand
	tree    tree
	history *json.Encoder
	large   bool // whether some files have several parts
	next    int  // makes new names
	seed    uint64
}

// Files of a mutator in its control directory.
const (
	treeFile    = "tree"    // the tree before the round
	historyFile = "history" // of the round
)

// mutatorOp is the process of a mutator. Its arguments are the directory, the
// control directory, the seed, the number of operations, and "large" or "small".
// It ends early at the first change that fails.
func mutatorOp(args []string) error {
	runtime.LockOSThread() // A run of removals belongs to a thread.
	unix.Umask(0o022)
	seed, err := strconv.ParseUint(args[2], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[3])
	if err != nil {
		return err
	}
	t, err := loadTree(filepath.Join(args[1], treeFile))
	if err != nil {
		return err
	}
	f, err := os.Create(filepath.Join(args[1], historyFile))
	if err != nil {
		return err
	}
	defer f.Close()
	m := &mutator{dir: args[0], rand: rand.New(rand.NewPCG(seed, 2)), tree: t, history: json.NewEncoder(f), large: args[4] == "large", seed: seed}
	for range count {
		if ok, err := m.step(); err != nil || !ok {
			return err
		}
	}
	return nil
}

// step executes one operation or one run of removals. It returns false after a
// change that failed.
func (m *mutator) step() (bool, error) {
	files := m.tree.files()
	if len(files) > 12 && m.rand.IntN(3) == 0 {
		return m.run(files)
	}
	return m.record(m.choose(files))
}

// run removes several files without another operation in between.
func (m *mutator) run(files []string) (bool, error) {
	for range 4 + m.rand.IntN(len(files)-6) {
		i := m.rand.IntN(len(files))
		name := files[i]
		files = append(files[:i], files[i+1:]...)
		if ok, err := m.record(operation{Op: opUnlink, Name: name}); err != nil || !ok {
			return ok, err
		}
	}
	return true, nil
}

// choose returns an operation that is possible.
func (m *mutator) choose(files []string) operation {
	dirs := m.tree.dirs()
	if len(files) > 0 {
		name := files[m.rand.IntN(len(files))]
		switch m.rand.IntN(12) {
		case 0:
			return m.withData(operation{Op: opWrite, Name: name})
		case 1:
			return m.withData(operation{Op: opAppend, Name: name})
		case 2:
			return operation{Op: opTruncate, Name: name, Size: m.rand.IntN(len(m.tree[name].Data) + 1000)}
		case 3:
			return operation{Op: opChmod, Name: name, Mode: []os.FileMode{0o600, 0o640, 0o755}[m.rand.IntN(3)]}
		case 4:
			return operation{Op: opUnlink, Name: name}
		case 5:
			return operation{Op: opRename, Name: name, To: m.fresh("f")}
		case 6:
			if to := files[m.rand.IntN(len(files))]; to != name {
				return operation{Op: opRename, Name: name, To: to}
			}
		case 7:
			return operation{Op: opRead, Name: name}
		}
	}
	if len(dirs) > 0 {
		name := dirs[m.rand.IntN(len(dirs))]
		switch m.rand.IntN(6) {
		case 0:
			if m.tree.isEmptyDir(name) {
				return operation{Op: opRmdir, Name: name}
			}
		case 1:
			return operation{Op: opRename, Name: name, To: m.freshIn(parentOf(name), "d")}
		}
	}
	if len(dirs) < 4 && m.rand.IntN(4) == 0 {
		return operation{Op: opMkdir, Name: m.fresh("d")}
	}
	return m.withData(operation{Op: opWrite, Name: m.fresh("f")})
}

// fresh returns a new name in any directory.
func (m *mutator) fresh(prefix string) string {
	dirs := append(m.tree.dirs(), "", "")
	return m.freshIn(dirs[m.rand.IntN(len(dirs))], prefix)
}

func (m *mutator) freshIn(dir, prefix string) string {
	m.next++
	return path.Join(dir, fmt.Sprintf("%s-%d-%d", prefix, m.seed, m.next))
}

func (m *mutator) withData(o operation) operation {
	o.Seed, o.Size = m.rand.Uint64(), m.rand.IntN(20<<10)
	switch n := m.rand.IntN(40); {
	case n < 4:
		o.Size = m.rand.IntN(300 << 10)
	case n == 4 && m.large:
		o.Size = 8<<20 + m.rand.IntN(8<<20)
	}
	return o
}

// record executes an operation between its two records.
func (m *mutator) record(o operation) (bool, error) {
	if err := m.history.Encode(record{operation: o}); err != nil {
		return false, err
	}
	r := record{operation: o, Done: true}
	if o.Op == opRead {
		r.Wrong, r.Errno = m.read(o.Name)
		return r.Wrong == "", m.history.Encode(r)
	}
	r.Errno = errnoName(m.execute(o))
	if r.Errno == "" {
		m.tree = m.tree.after(o)
	}
	return r.Errno == "", m.history.Encode(r)
}

// errnoName returns the name of the error number in an error, and "" for nil.
func errnoName(err error) string {
	var errno unix.Errno
	switch {
	case err == nil:
		return ""
	case errors.As(err, &errno):
		return unix.ErrnoName(errno)
	}
	return err.Error()
}

func (m *mutator) execute(o operation) error {
	p := filepath.Join(m.dir, o.Name)
	switch o.Op {
	case opWrite:
		return os.WriteFile(p, o.data(), 0o644)
	case opAppend:
		return appendTo(p, o.data())
	case opTruncate:
		return os.Truncate(p, int64(o.Size))
	case opChmod:
		return os.Chmod(p, o.Mode)
	case opUnlink:
		return unix.Unlink(p)
	case opRename:
		return os.Rename(p, filepath.Join(m.dir, o.To))
	case opMkdir:
		return os.Mkdir(p, 0o755)
	case opRmdir:
		return unix.Rmdir(p)
	}
	return fmt.Errorf("no operation %q", o.Op)
}

func appendTo(p string, data []byte) error {
	f, err := os.OpenFile(p, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Close())
}

// read compares a file with the model.
func (m *mutator) read(name string) (wrong, errno string) {
	n, err := readNode(filepath.Join(m.dir, name))
	if err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return name + " does not exist", ""
		}
		return "", errnoName(err)
	}
	if d := differences(tree{name: n}, tree{name: m.tree[name]}); len(d) > 0 {
		return d[0], ""
	}
	return "", ""
}

// readHistory returns the records of a round.
func readHistory(file string) ([]record, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []record
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var r record
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, nil
}
