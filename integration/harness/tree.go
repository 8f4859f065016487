package harness

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Node is a file, directory or link in a tree.
type Node struct {
	Mode   fs.FileMode
	Size   int64  // of files
	Sum    string // SHA-256 of a file
	Target string // of a symbolic link
	Mtime  int64  // nanoseconds since 1970; of files, if it was requested
	UID    uint32
	GID    uint32
}

// Tree is the content of a directory by relative path with slashes.
type Tree map[string]Node

// Snapshot reads the tree below dir.
func Snapshot(dir string) (Tree, error) {
	tree := Tree{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		n, err := look(path, d)
		tree[filepath.ToSlash(rel)] = n
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the tree %s: %w", dir, err)
	}
	return tree, nil
}

func look(path string, d fs.DirEntry) (Node, error) {
	info, err := d.Info()
	if err != nil {
		return Node{}, err
	}
	n := Node{Mode: info.Mode()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		n.UID, n.GID = st.Uid, st.Gid
	}
	switch {
	case info.Mode().IsRegular():
		b, err := os.ReadFile(path)
		if err != nil {
			return n, err
		}
		n.Size, n.Mtime = info.Size(), info.ModTime().UnixNano()
		n.Sum = fmt.Sprintf("%x", sha256.Sum256(b))
		if int64(len(b)) != n.Size {
			return n, fmt.Errorf("%s: stat says %d bytes, read gave %d", path, n.Size, len(b))
		}
	case info.Mode()&fs.ModeSymlink != 0:
		n.Target, err = os.Readlink(path)
	}
	return n, err
}

// TreeOptions select what a comparison ignores.
type TreeOptions struct {
	Mtimes   bool     // compare modification times of files
	Contents bool     // compare only kinds, sizes, content and targets
	Ignore   []string // path prefixes to ignore
}

// only returns n without the fields to ignore.
func (n Node) only(o TreeOptions) Node {
	if !o.Mtimes {
		n.Mtime = 0
	}
	if o.Contents {
		n.Mode, n.UID, n.GID = n.Mode.Type(), 0, 0
	}
	return n
}

// Diff describes the difference between got and want, or returns "".
func (want Tree) Diff(got Tree, o TreeOptions) string {
	paths := slices.Sorted(maps.Keys(want))
	for p := range got {
		if _, ok := want[p]; !ok {
			paths = append(paths, p)
		}
	}
	var b strings.Builder
	for _, p := range paths {
		w, wok := want[p]
		g, gok := got[p]
		w, g = w.only(o), g.only(o)
		switch {
		case slices.ContainsFunc(o.Ignore, func(i string) bool { return strings.HasPrefix(p, i) }):
		case !gok:
			fmt.Fprintf(&b, "missing  %s\n", p)
		case !wok:
			fmt.Fprintf(&b, "extra    %s\n", p)
		case w != g:
			fmt.Fprintf(&b, "differs  %s\n  want %+v\n  got  %+v\n", p, w, g)
		}
	}
	return b.String()
}

// DiffObjects describes the difference between a bucket and the tree, or returns "".
// Every file must be an object with the same content under prefix + path. Other objects
// are allowed only for directories, links and the reserved prefix.
func (want Tree) DiffObjects(ctx context.Context, r *Referee, prefix string) (string, error) {
	keys, err := r.Keys(ctx, prefix)
	if err != nil {
		return "", err
	}
	have := map[string]bool{}
	var b strings.Builder
	for _, k := range keys {
		name := strings.TrimPrefix(k, prefix)
		have[name] = true
		n, ok := want[strings.TrimSuffix(name, "/")]
		dir := strings.HasSuffix(name, "/")
		if name == "" || strings.HasPrefix(name, ".s3mount/") || ok && dir == n.Mode.IsDir() {
			continue
		}
		fmt.Fprintf(&b, "object without a file: %q\n", k)
	}
	for _, p := range slices.Sorted(maps.Keys(want)) {
		n := want[p]
		if !n.Mode.IsRegular() {
			continue
		}
		if !have[p] {
			fmt.Fprintf(&b, "file without an object: %q\n", p)
			continue
		}
		body, err := r.Get(ctx, prefix+p)
		if err != nil {
			return "", err
		}
		if sum := fmt.Sprintf("%x", sha256.Sum256(body)); sum != n.Sum {
			fmt.Fprintf(&b, "object %q has other bytes than the file (%d, %d bytes)\n", prefix+p, len(body), n.Size)
		}
	}
	return b.String(), nil
}
