package namespace

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

// tree is the model: what a filesystem holds, by path. Directories have the
// value "/".
type tree map[string]string

func (m tree) children(dir string) []string {
	var out []string
	for p, v := range m {
		parent, name := splitPath(p)
		if p != "" && parent == dir {
			if v == "/" {
				name += "/"
			}
			out = append(out, name)
		}
	}
	slices.Sort(out)
	return out
}

func splitPath(p string) (dir, name string) {
	i := strings.LastIndexByte(p, '/')
	return p[:max(i, 0)], p[i+1:]
}

func (m tree) dirs() []string {
	out := []string{}
	for p, v := range m {
		if v == "/" {
			out = append(out, p)
		}
	}
	slices.Sort(out)
	return out
}

// machine runs random operations on a namespace and on the model.
type machine struct {
	f     *fakeStore
	n     *Namespace
	model tree
	state string
	small bool
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func (m *machine) pick(t *rapid.T, what string) (dir, name, path string) {
	dir = rapid.SampledFrom(m.model.dirs()).Draw(t, what+" directory")
	name = rapid.SampledFrom([]string{"a", "b", "a-b", "a0", "c", "%41", "é", "x y"}).Draw(t, what+" name")
	return dir, name, joinPath(dir, name)
}

func (m *machine) entry(t *rapid.T, path string) entry.Entry {
	e, err := find(m.n, path)
	if err != nil {
		t.Fatalf("lookup %q: %v", path, err)
	}
	return e
}

// create commits a file as fs does: a PUT of its own and then Committed.
func (m *machine) create(t *rapid.T) {
	dir, name, path := m.pick(t, "create")
	d := m.entry(t, dir)
	e, err := m.n.Lookup(context.Background(), d, name)
	if m.model[path] == "/" {
		if err != nil || e.Kind != entry.Directory {
			t.Fatalf("lookup of directory %q: %+v, %v", path, e, err)
		}
		return
	}
	body := fmt.Sprint("body ", rapid.IntRange(0, 1000).Draw(t, "body"))
	key, err := m.n.NewFileKey(d, name)
	if err != nil {
		t.Fatalf("key of %q: %v", path, err)
	}
	pending := rapid.Bool().Draw(t, "pending")
	shown := pendingFile{Key: key, Size: int64(len(body))}
	if pending {
		m.n.AddPending(key, shown)
		if e := m.entry(t, path); e.Size != int64(len(body)) {
			t.Fatalf("pending %q is %+v", path, e)
		}
		m.model[path] = body
		m.list(t, dir)
	}
	if err := m.n.WaitDeleted(context.Background(), key); err != nil {
		t.Fatal(err)
	}
	out, err := m.f.Put(context.Background(), &s3.PutInput{Bucket: "b", Key: key, Body: strings.NewReader(body), Size: int64(len(body))})
	if err != nil {
		t.Fatal(err)
	}
	m.n.Committed(entry.Entry{Key: key, Size: int64(len(body)), ETag: out.ETag, LastModified: out.Date, Exact: true})
	if pending {
		m.n.DropPending(key, shown)
	}
	m.model[path] = body
}

func (m *machine) mkdir(t *rapid.T) {
	dir, name, path := m.pick(t, "mkdir")
	_, err := m.n.Mkdir(context.Background(), m.entry(t, dir), name, entry.Attr{Perm: 0o755})
	_, exists := m.model[path]
	if exists != errors.Is(err, ErrExists) || !exists && err != nil {
		t.Fatalf("mkdir %q: %v, exists %v", path, err, exists)
	}
	if !exists {
		m.model[path] = "/"
	}
}

func (m *machine) remove(t *rapid.T) {
	dir, name, path := m.pick(t, "remove")
	v, exists := m.model[path]
	d := m.entry(t, dir)
	e, err := m.n.Lookup(context.Background(), d, name)
	if exists != (err == nil) || err != nil && !errors.Is(err, s3.ErrNotFound) {
		t.Fatalf("lookup %q: %v, exists %v", path, err, exists)
	}
	if !exists {
		return
	}
	var want error
	if v == "/" {
		if len(m.model.children(path)) > 0 {
			want = ErrNotEmpty
		}
		err = m.n.RmdirInRun(context.Background(), d, name, e)
	} else {
		err = m.n.UnlinkInRun(context.Background(), d, name, e)
	}
	if !errors.Is(err, want) {
		t.Fatalf("remove %q: %v, want %v", path, err, want)
	}
	if want == nil {
		delete(m.model, path)
	}
}

func (m *machine) rename(t *rapid.T) {
	oldDir, oldName, from := m.pick(t, "from")
	newDir, newName, to := m.pick(t, "to")
	v, exists := m.model[from]
	if !exists {
		return
	}
	in := RenameInput{
		OldDir: m.entry(t, oldDir), OldName: oldName, Old: m.entry(t, from),
		NewDir: m.entry(t, newDir), NewName: newName, NoReplace: rapid.Bool().Draw(t, "noreplace"),
	}
	w, taken := m.model[to]
	if taken {
		e := m.entry(t, to)
		in.New = &e
	} else if e, err := m.n.Lookup(context.Background(), in.NewDir, newName); !errors.Is(err, s3.ErrNotFound) {
		t.Fatalf("lookup %q: %+v, %v", to, e, err)
	}
	if from == to {
		return // the kernel never asks for that
	}
	var want error
	switch {
	case taken && in.NoReplace:
		want = ErrExists
	case taken && v == "/" && w != "/":
		want = ErrNotDir
	case taken && v != "/" && w == "/":
		want = ErrIsDir
	case v == "/" && strings.HasPrefix(to+"/", from+"/"):
		want = ErrInvalid
	case taken && w == "/" && len(m.model.children(to)) > 0:
		want = ErrNotEmpty
	}
	_, err := m.n.Rename(context.Background(), in)
	if !errors.Is(err, want) {
		t.Fatalf("rename %q to %q: %v, want %v", from, to, err, want)
	}
	if err != nil {
		return
	}
	for p, v := range maps.Clone(m.model) {
		if p == from || strings.HasPrefix(p, from+"/") {
			delete(m.model, p)
			m.model[to+p[len(from):]] = v
		}
	}
}

func (m *machine) list(t *rapid.T, dir string) {
	l := m.n.OpenDir(m.entry(t, dir))
	got := []string{}
	for {
		d, ok, err := l.Next(context.Background())
		if err != nil {
			t.Fatalf("list %q: %v", dir, err)
		}
		if !ok {
			break
		}
		if d.Entry.Kind == entry.Directory {
			d.Name += "/"
		} else if want := m.model[joinPath(dir, d.Name)]; d.Entry.Size != int64(len(want)) {
			t.Fatalf("list %q: %q has %d bytes, want %q", dir, d.Name, d.Entry.Size, want)
		}
		got = append(got, d.Name)
	}
	slices.Sort(got)
	if want := m.model.children(dir); !slices.Equal(got, want) {
		t.Fatalf("list %q is %q, want %q; keys %q", dir, got, want, m.f.keys())
	}
}

func (m *machine) check(t *rapid.T) {
	for p, v := range m.model {
		e := m.entry(t, p)
		if (v == "/") != (e.Kind == entry.Directory) || v != "/" && e.Size != int64(len(v)) {
			t.Fatalf("%q is %+v, want %q", p, e, v)
		}
	}
	for _, d := range m.model.dirs() {
		m.list(t, d)
	}
}

func (m *machine) remount(t *rapid.T) {
	if err := m.n.Drain(context.Background()); err != nil {
		t.Fatal(err)
	}
	m.n.Close()
	m.mount(t)
}

func (m *machine) mount(t *rapid.T) {
	o := DefaultOptions()
	o.Bucket, o.StateDir, o.MemoryLimit = "b", m.state, minMemoryLimit
	n, err := New(m.f, o)
	if err != nil {
		t.Fatal(err)
	}
	if m.small {
		// Almost nothing fits: every answer must survive eviction.
		n.o.MemoryLimit = 4000 // far below what Options.Validate allows
		n.connect()
	}
	m.n = n
}

// bubble hides from rapid that it could ask for a deadline: in a synctest
// bubble there is none.
type bubble struct{ *testing.T }

// TestModel takes -rapid.checks and -rapid.steps; without them it is short.
func TestModel(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue {
		if err := flag.Set("rapid.checks", "25"); err != nil {
			t.Fatal(err)
		}
		defer flag.Set("rapid.checks", checks.DefValue) //nolint:errcheck // it was valid before
	}
	synctest.Test(t, func(t *testing.T) {
		dir, outer := t.TempDir(), t
		rapid.Check(bubble{t}, func(t *rapid.T) {
			// Files under implicit directories, as other tools leave them.
			m := &machine{f: newFake(outer, "a/b/c", "a-b", "c/a"), state: dir, small: rapid.Bool().Draw(t, "small")}
			m.model = tree{"": "/", "a": "/", "a/b": "/", "a/b/c": "x", "a-b": "x", "c": "/", "c/a": "x"}
			m.f.setDelay(time.Millisecond)
			m.mount(t)
			defer func() { m.n.Close() }()
			t.Repeat(map[string]func(*rapid.T){
				"create": m.create, "mkdir": m.mkdir, "remove": m.remove, "remove2": m.remove, "rename": m.rename,
				"remount": m.remount, "check": m.check,
				"list": func(t *rapid.T) { m.list(t, rapid.SampledFrom(m.model.dirs()).Draw(t, "list")) },
				"wait": func(t *rapid.T) {
					time.Sleep(time.Duration(rapid.IntRange(1, 90_000).Draw(t, "ms")) * time.Millisecond)
				},
				"forget": func(t *rapid.T) { m.n.InvalidateAll() },
			})
			m.remount(t)
			m.check(t)
		})
	})
}
