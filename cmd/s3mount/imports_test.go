package main

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of the root module.
const module = "github.com/s3mount/s3mount"

// internal begins the paths of the packages of the command.
const internal = "cmd/s3mount/internal/"

// layer lists the packages of this module that the packages in one directory may import.
type layer struct {
	dir     string
	imports []string
}

// layers returns the order of imports, from the top down:
//
//	cmd/s3mount > fs > {fs/namespace, fs/readahead, fs/writeback} > {s3, cache > cache/disk}
//	fs/namespace > {fs/attrs, fs/listing} > {fs/entry, fs/background > fs/lockorder}
//	fs/inode > fs/entry
//	fs/entry, fs/lockorder and fs/metering import none of them
//
// and within cmd/s3mount
//
//	main > commands > {daemon, manual, setup} > settings > metrics > control
//	machine, progress and private are on the level of settings; exit and text are below all
//
// A directory includes the directories below it that have no line of their own.
func layers() []layer {
	return []layer{
		{"cmd/s3mount", []string{internal + "commands", internal + "daemon", internal + "exit", internal + "machine", internal + "progress",
			internal + "settings", internal + "setup", internal + "text", internal + "control", "fs", "s3"}},
		{internal + "commands", []string{internal + "control", internal + "daemon", internal + "exit", internal + "machine", internal + "manual",
			internal + "private", internal + "progress", internal + "settings", internal + "setup", internal + "text", "fs", "fs/metering", "s3"}},
		{internal + "daemon", []string{internal + "control", internal + "exit", internal + "machine", internal + "metrics", internal + "progress",
			internal + "settings", internal + "text", "fs", "s3"}},
		{internal + "manual", []string{internal + "exit", internal + "settings"}},
		{internal + "setup", []string{internal + "exit", internal + "metrics", internal + "private", internal + "settings", internal + "text", "fs", "s3"}},
		{internal + "settings", []string{internal + "exit", internal + "metrics", internal + "text", "fs", "s3"}},
		{internal + "metrics", []string{internal + "control", "fs", "fs/metering"}},
		{internal + "control", []string{"fs", "fs/metering", "s3"}},
		{internal + "machine", []string{internal + "exit", internal + "text"}},
		{internal + "progress", []string{internal + "text", "fs"}},
		{internal + "private", nil},
		{internal + "exit", []string{internal + "text"}},
		{internal + "text", nil},
		{"fs", []string{"fs/attrs", "fs/entry", "fs/inode", "fs/metering", "fs/namespace", "fs/readahead", "fs/writeback", "s3", "s3/fair", "cache", "cache/disk"}},
		{"fs/metering", nil},
		{"fs/namespace", []string{"fs/attrs", "fs/background", "fs/entry", "fs/lockorder", "fs/listing", "s3", "cache"}},
		{"fs/attrs", []string{"fs/background", "fs/entry", "fs/lockorder", "s3", "cache"}},
		{"fs/listing", []string{"fs/background", "fs/entry", "fs/lockorder", "s3", "cache"}},
		{"fs/background", []string{"fs/lockorder"}},
		{"fs/lockorder", nil},
		{"fs/entry", nil},
		{"fs/inode", []string{"fs/entry"}},
		{"fs/readahead", []string{"s3", "s3/fair", "cache", "cache/disk"}},
		{"fs/writeback", []string{"s3", "s3/fair", "cache"}},
		{"s3", []string{"s3/fair"}},
		{"s3/fair", nil},
		{"s3/s3test", []string{"s3"}},
		{"cache", []string{"cache/disk", "s3/fair"}},
		{"cache/disk", nil},
	}
}

// owners maps packages of other modules to the only package that may import them.
func owners() map[string]string {
	return map[string]string{
		"github.com/hanwen/go-fuse":       "fs",
		"github.com/urfave/cli":           internal + "settings",
		"github.com/prometheus":           internal + "metrics",
		"github.com/moby/sys":             internal + "machine",
		"github.com/hashicorp/golang-lru": "cache",
	}
}

// importOf is one import of one file.
type importOf struct {
	file string // relative to the root of the module
	path string
}

func (i importOf) dir() string  { return path.Dir(i.file) }
func (i importOf) isTest() bool { return strings.HasSuffix(i.file, "_test.go") }

func TestImportOrder(t *testing.T) {
	all := allImports(t, filepath.Join("..", ".."))
	for _, l := range layers() {
		if !slices.ContainsFunc(all, func(i importOf) bool { return i.dir() == l.dir }) {
			t.Errorf("there is no package in %s", l.dir)
		}
	}
	for _, i := range all {
		if says := i.violates(); says != "" {
			t.Errorf("%s: imports %s: %s", i.file, i.path, says)
		}
	}
}

// violates returns the reason why an import is against the order, or "".
func (i importOf) violates() string {
	l, ok := layerOf(i.dir())
	if !ok {
		return "the package has no place in the order"
	}
	for prefix, owner := range owners() {
		if strings.HasPrefix(i.path, prefix) && l.dir != owner && !i.isTest() {
			return "only " + owner + " may"
		}
	}
	of, ours := strings.CutPrefix(i.path, module+"/")
	if !ours {
		return ""
	}
	to, ok := layerOf(of)
	switch {
	case !ok:
		return "that package has no place in the order"
	case to.dir == "s3/s3test" && i.isTest():
		return ""
	case to.dir == "s3/s3test":
		return "only tests may"
	case to.dir == l.dir, slices.Contains(l.imports, to.dir):
		return ""
	}
	return "that is against the order"
}

// layerOf finds the line for a directory: its own, or the line of the nearest
// directory above.
func layerOf(dir string) (layer, bool) {
	for d := dir; d != "."; d = path.Dir(d) {
		for _, l := range layers() {
			if l.dir == d {
				return l, true
			}
		}
	}
	return layer{}, false
}

// allImports reads the imports of every Go file of the module at root.
func allImports(t *testing.T, root string) []importOf {
	t.Helper()
	var all []importOf
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if _, err := os.Stat(filepath.Join(file, "go.mod")); file != root && (err == nil || d.Name() == "testdata" || strings.HasPrefix(d.Name(), ".")) {
				return filepath.SkipDir // another module, or no package
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			all = append(all, importOf{filepath.ToSlash(rel), imported})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestImportOrderFinds checks that violates finds violations.
func TestImportOrderFinds(t *testing.T) {
	for _, tc := range []struct {
		file, path string
		ok         bool
	}{
		{"cmd/s3mount/main.go", module + "/fs", true},
		{"cmd/s3mount/main.go", module + "/cache", false},
		{"cmd/s3mount/main.go", "github.com/hanwen/go-fuse/v2/fuse", false},
		{"fs/mount.go", "github.com/hanwen/go-fuse/v2/fuse", true},
		{"fs/mount.go", module + "/fs/writeback", true},
		{"fs/writeback/file.go", module + "/fs/namespace", false},
		{"fs/writeback/file.go", module + "/fs", false},
		{"fs/writeback/file.go", module + "/s3", true},
		{"fs/writeback/file.go", module + "/s3/s3test", false},
		{"fs/writeback/file_test.go", module + "/s3/s3test", true},
		{"fs/writeback/file_test.go", module + "/fs/readahead", false},
		{"fs/writeback/file.go", "github.com/hanwen/go-fuse/v2/fuse", false},
		{"s3/get.go", module + "/cache", false},
		{"s3/s3test/server.go", module + "/s3", true},
		{"s3/s3test/server.go", module + "/fs", false},
		{"cache/pool.go", module + "/s3", false},
		{"other/x.go", "fmt", false},
		{"s3/get.go", module + "/other", false},
		{"s3/get.go", "net/http", true},
	} {
		if got := (importOf{tc.file, tc.path}).violates(); (got == "") != tc.ok {
			t.Errorf("%s imports %s: %q", tc.file, tc.path, got)
		}
	}
}
