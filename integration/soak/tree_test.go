package soak

import (
	"bytes"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"math/rand/v2"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// node is a file or directory of a tree.
type node struct {
	Dir  bool
	Mode fs.FileMode
	Data []byte
}

func (n node) String() string {
	if n.Dir {
		return fmt.Sprintf("directory %v", n.Mode)
	}
	return fmt.Sprintf("file %v of %d bytes", n.Mode, len(n.Data))
}

// tree is the model of a directory: nodes by their path below it.
type tree map[string]node

// The operations that the mutator executes.
const (
	opWrite    = "write"
	opAppend   = "append"
	opTruncate = "truncate"
	opChmod    = "chmod"
	opUnlink   = "unlink"
	opRename   = "rename"
	opMkdir    = "mkdir"
	opRmdir    = "rmdir"
	opRead     = "read"
)

// operation is one operation on a tree.
type operation struct {
	Op   string
	Name string
	To   string `json:",omitempty"` // the new name in a rename
	Seed uint64 `json:",omitempty"` // of the data
	Size int    `json:",omitempty"` // of the data, or the new size of the file
	Mode fs.FileMode
}

// data returns the bytes that the operation writes.
func (o operation) data() []byte {
	var key [32]byte
	for i := range 8 {
		key[i] = byte(o.Seed >> (8 * i))
	}
	b := make([]byte, o.Size)
	_, _ = rand.NewChaCha8(key).Read(b) // never fails
	return b
}

// after returns the tree that a successful operation leads to.
func (t tree) after(o operation) tree {
	t = maps.Clone(t)
	n := t[o.Name]
	switch o.Op {
	case opWrite:
		if _, ok := t[o.Name]; !ok {
			n.Mode = 0o644
		}
		n.Data = o.data()
		t[o.Name] = n
	case opAppend:
		n.Data = slices.Concat(n.Data, o.data())
		t[o.Name] = n
	case opTruncate:
		n.Data = resized(n.Data, o.Size)
		t[o.Name] = n
	case opChmod:
		n.Mode = o.Mode
		t[o.Name] = n
	case opUnlink, opRmdir:
		delete(t, o.Name)
	case opMkdir:
		t[o.Name] = node{Dir: true, Mode: 0o755}
	case opRename:
		t.move(o.Name, o.To)
	}
	return t
}

func (t tree) move(from, to string) {
	for name, n := range maps.Clone(t) {
		if name == from || strings.HasPrefix(name, from+"/") {
			delete(t, name)
			t[to+strings.TrimPrefix(name, from)] = n
		}
	}
}

func (t tree) isEmptyDir(name string) bool {
	for other := range t {
		if strings.HasPrefix(other, name+"/") {
			return false
		}
	}
	return true
}

// between returns the trees that a crash may leave in the middle of an operation,
// besides the old one and the new one. In a rename a file may exist under both
// names (P5).
func (t tree) between(o operation) []tree {
	n, ok := t[o.Name]
	if o.Op != opRename || !ok || n.Dir {
		return nil
	}
	both := t.after(o)
	both[o.Name] = n
	return []tree{both}
}

// snapshot reads a directory: first all names that the model knows, one by one,
// and then all that the listings show.
func snapshot(dir string, names []string) (tree, error) {
	t := tree{}
	for _, name := range names {
		n, err := readNode(filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		t[name] = n
	}
	listed := map[string]bool{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil || p == dir {
			return err
		}
		name := strings.TrimPrefix(p, dir+"/")
		listed[name] = true
		if _, ok := t[name]; !ok {
			t[name], err = readNode(p)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for name := range t {
		if !listed[name] {
			return nil, fmt.Errorf("%s can be opened, but no listing shows it", name)
		}
	}
	return t, nil
}

// readNode reads a file or directory. It takes the mode of a file that is open: after a
// kill, a listing may show default attributes until the file is opened.
func readNode(p string) (node, error) {
	f, err := os.Open(p)
	if err != nil {
		return node{}, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return node{}, err
	}
	n := node{Dir: info.IsDir(), Mode: info.Mode().Perm()}
	if n.Dir {
		return n, nil
	}
	if n.Data, err = io.ReadAll(f); err != nil {
		return node{}, err
	}
	if int64(len(n.Data)) != info.Size() {
		return node{}, fmt.Errorf("%s has the size %d and %d bytes", p, info.Size(), len(n.Data))
	}
	return n, nil
}

// differences describes where two trees differ.
func differences(got, want tree) []string {
	var out []string
	names := maps.Clone(want)
	maps.Copy(names, got)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		g, isGot := got[name]
		w, isWanted := want[name]
		switch {
		case !isGot:
			out = append(out, fmt.Sprintf("%s is missing (%v)", name, w))
		case !isWanted:
			out = append(out, fmt.Sprintf("%s exists (%v)", name, g))
		case g.Dir != w.Dir || g.Mode != w.Mode || len(g.Data) != len(w.Data):
			out = append(out, fmt.Sprintf("%s is a %v, want a %v", name, g, w))
		case !bytes.Equal(g.Data, w.Data):
			out = append(out, fmt.Sprintf("%s has another byte at %d of %d", name, firstDiff(g.Data, w.Data), len(w.Data)))
		}
	}
	return out
}

// save and loadTree keep a tree between two processes.
func (t tree) save(file string) error {
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(t); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func loadTree(file string) (tree, error) {
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t := tree{}
	return t, gob.NewDecoder(bytes.NewReader(b)).Decode(&t)
}

// files and dirs return the names of one type in order.
func (t tree) files() []string { return t.names(false) }
func (t tree) dirs() []string  { return t.names(true) }

func (t tree) names(dir bool) []string {
	var out []string
	for name, n := range t {
		if n.Dir == dir {
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

// parentOf returns the directory of a path, "" for the top.
func parentOf(name string) string {
	if p := path.Dir(name); p != "." {
		return p
	}
	return ""
}
