package disk

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func openTest(t testing.TB, dir string, size int64, change ...func(*Options)) *Cache {
	t.Helper()
	o := Options{Dir: dir, Size: size, Namespace: "http://s3/b"}
	for _, f := range change {
		f(&o)
	}
	d, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeTest(t testing.TB, d *Cache) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// blockOf returns block index of a version of size bytes. The bytes depend on seed.
func blockOf(seed, size, index int64) []byte {
	p := make([]byte, min(BlockSize, size-index*BlockSize))
	first := seed*1_000_003 + index*BlockSize
	for i := range p {
		p[i] = byte((first + int64(i)) * 31 >> 3)
	}
	return p
}

// holds reports whether the disk has a block. It fails the test if the bytes are wrong.
func holds(t testing.TB, d *Cache, key string, seed, size, index int64) bool {
	t.Helper()
	p := make([]byte, min(BlockSize, size-index*BlockSize))
	if !d.Read(key, "e", size, index, p) {
		return false
	}
	if !bytes.Equal(p, blockOf(seed, size, index)) {
		t.Errorf("block %d of %q has wrong bytes", index, key)
	}
	return true
}

// cacheFiles returns the paths of the files of all versions.
func cacheFiles(t testing.TB, dir, end string) (paths []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() && strings.HasSuffix(path, end) {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// counted fails the test if the counter differs from the size of the files.
func counted(t testing.TB, d *Cache) {
	t.Helper()
	if used, real := d.Used(), d.count(); used != real {
		t.Errorf("%d bytes are counted, the files say %d", used, real)
	}
}

func TestSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	const size = 3*BlockSize + 100
	for round := range 3 {
		d := openTest(t, dir, 64<<20)
		for i := range int64(4) {
			had := holds(t, d, "k", 1, size, i)
			if had != (int64(round) > i) {
				t.Errorf("round %d: block %d is there: %v", round, i, had)
			}
		}
		d.Write("k", "e", size, int64(round), blockOf(1, size, int64(round)))
		if !holds(t, d, "k", 1, size, int64(round)) {
			t.Errorf("block %d was not kept", round)
		}
		if holds(t, d, "k2", 1, size, 0) || d.Read("k", "e2", size, 0, make([]byte, BlockSize)) {
			t.Error("another version's bytes were served")
		}
		there, run := d.Run("k", "e", size, 0, 4)
		if !there || run != round+1 {
			t.Errorf("round %d: run of %d, there %v", round, run, there)
		}
		if there, run := d.Run("k", "e", size, 3, 1); there || run != 1 {
			t.Errorf("a block that is not there: run of %d, there %v", run, there)
		}
		counted(t, d)
		closeTest(t, d)
	}
	other := openTest(t, dir, 64<<20, func(o *Options) { o.Namespace = "http://s3/other" })
	if holds(t, other, "k", 1, size, 0) {
		t.Error("another bucket's bytes were served")
	}
	closeTest(t, other)
	info, err := os.Stat(filepath.Join(dir, folderName))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, error %v", info.Mode(), err)
	}
}

// TestDamage damages the files of a version in many ways. The cache must not serve it, and
// must accept a new copy of it.
func TestDamage(t *testing.T) {
	const size = 2 * BlockSize
	change := func(end string, f func(path string) error) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			for _, path := range cacheFiles(t, dir, end) {
				if err := f(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	flip := func(at int64) func(string) error {
		return func(path string) error {
			f, err := os.OpenFile(path, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			defer f.Close()
			var b [1]byte
			if _, err := f.ReadAt(b[:], at); err != nil {
				return err
			}
			b[0] ^= 0x10
			_, err = f.WriteAt(b[:], at)
			return err
		}
	}
	cases := map[string]func(t *testing.T, dir string){
		"a bit of the data":    change(dataEnd, flip(1000)),
		"a bit of the header":  change(indexEnd, flip(20)),
		"a bit of the names":   change(indexEnd, flip(50)),
		"a bit of a record":    change(indexEnd, flip(headerSize+8)),
		"data cut":             change(dataEnd, func(p string) error { return os.Truncate(p, 100) }),
		"data longer":          change(dataEnd, func(p string) error { return os.Truncate(p, size+1) }),
		"index cut":            change(indexEnd, func(p string) error { return os.Truncate(p, 3) }),
		"index cut at records": change(indexEnd, func(p string) error { return os.Truncate(p, headerSize) }),
		"no data":              change(dataEnd, os.Remove),
		"no index":             change(indexEnd, os.Remove),
		"foreign data":         change(dataEnd, func(p string) error { return os.WriteFile(p, make([]byte, size), 0o600) }),
		"index of zeros":       change(indexEnd, func(p string) error { return os.WriteFile(p, make([]byte, 64<<10), 0o600) }),
	}
	for name, damage := range cases {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, restart %v", name, restart), func(t *testing.T) {
				dir := t.TempDir()
				d := openTest(t, dir, 64<<20)
				d.Write("k", "e", size, 0, blockOf(1, size, 0))
				if restart {
					closeTest(t, d)
				}
				damage(t, dir)
				if restart {
					d = openTest(t, dir, 64<<20)
				}
				holds(t, d, "k", 1, size, 0) // may be present if only names are missing; then the bytes are right
				if f := d.File("k", "e", size); f != nil {
					t.Error("a file was handed out")
				}
				d.mu.Lock()
				for name := range d.files {
					d.dropHandle(name)
				}
				d.mu.Unlock()
				if holds(t, d, "k", 1, size, 0) {
					t.Error("a damaged version was served")
				}
				for i := range int64(2) {
					d.Write("k", "e", size, i, blockOf(1, size, i))
				}
				if !holds(t, d, "k", 1, size, 0) || !holds(t, d, "k", 1, size, 1) {
					t.Error("a new copy was not kept")
				}
				closeTest(t, d)
			})
		}
	}
}

// TestShared uses one folder from two mounts at once.
func TestShared(t *testing.T) {
	dir := t.TempDir()
	const limit, size = 24 << 20, 2*BlockSize + 5
	a, b := openTest(t, dir, limit), openTest(t, dir, limit)
	a.Write("k", "e", size, 0, blockOf(1, size, 0))
	b.Write("k", "e", size, 1, blockOf(1, size, 1))
	if !holds(t, b, "k", 1, size, 0) || !holds(t, a, "k", 1, size, 1) {
		t.Error("a mount lacks the blocks of the other mount")
	}
	var wg sync.WaitGroup
	for n, d := range []*Cache{a, b} {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(5, uint64(n)))
			for range 1000 {
				seed := rnd.Int64N(200)
				key, i := fmt.Sprint(seed), rnd.Int64N(3)
				if !holds(t, d, key, seed, size, i) {
					d.Write(key, "e", size, i, blockOf(seed, size, i))
				}
				if used := d.Used(); used > limit+2*(BlockSize+overhead(size)) { // two reservations that fail
					t.Errorf("%d bytes used", used)
				}
				if rnd.IntN(50) == 0 {
					d.Drop(key, "e")
				}
			}
		})
	}
	wg.Wait()
	closeTest(t, a)
	b.Write("k3", "e", size, 0, blockOf(3, size, 0))
	used := b.Used()
	closeTest(t, b)
	c := openTest(t, dir, limit)
	if c.Used() != used {
		t.Errorf("%d bytes used after a restart, %d before", c.Used(), used)
	}
	closeTest(t, c)
}

// TestCrash checks that the counter is not used after a crash.
func TestCrash(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, dir, 64<<20)
	d.Write("k", "e", 1000, 0, blockOf(1, 1000, 0))
	used := d.Used()
	d.usage.bytes.Add(12345)
	for _, f := range []io.Closer{d.lock, d.root} { // as the kernel does for a killed process
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, folderName)
	for _, path := range []string{"foreign", "ab/foreign", "ab/" + strings.Repeat("c", 62) + dataEnd, "ab/" + strings.Repeat("d", 62) + indexEnd} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, path), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d = openTest(t, dir, 64<<20)
	if d.Used() != used {
		t.Errorf("%d bytes used after a crash, want %d", d.Used(), used)
	}
	if !holds(t, d, "k", 1, 1000, 0) {
		t.Error("a block was lost in a crash")
	}
	if paths := cacheFiles(t, dir, "foreign"); len(paths) != 0 {
		t.Errorf("foreign files are left: %v", paths)
	}
	if n := len(cacheFiles(t, dir, dataEnd)) + len(cacheFiles(t, dir, indexEnd)); n != 2 {
		t.Errorf("%d files are left, want 2", n)
	}
	closeTest(t, d)
}

func TestRefusesForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, folderName)); err != nil {
		t.Fatal(err)
	}
	if d, err := Open(Options{Dir: dir, Size: 64 << 20}); err == nil {
		t.Error("a link was followed")
		closeTest(t, d)
	}
	for _, o := range []Options{{Size: 64 << 20}, {Dir: dir}, {Dir: dir, Size: 64 << 20, MinFree: -1}} {
		if _, err := Open(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestFile(t *testing.T) {
	d := openTest(t, t.TempDir(), 32<<20)
	const size = 3*BlockSize + 9
	for i := range int64(4) {
		if f := d.File("k", "e", size); f != nil {
			t.Fatalf("handed out with %d of 4 blocks", i)
		}
		d.Write("k", "e", size, i, blockOf(1, size, i))
	}
	f := d.File("k", "e", size)
	if f == nil {
		t.Fatal("a whole object was not handed out")
	}
	// Later writes must not change the bytes of the file.
	for i := range int64(400) {
		d.Write(fmt.Sprint(i), "e", BlockSize, 0, blockOf(i, BlockSize, 0))
	}
	got, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for i := range int64(4) {
		all = append(all, blockOf(1, size, i)...)
	}
	if !bytes.Equal(got, all) {
		t.Errorf("%d bytes of the file are wrong", len(got))
	}
	if _, err := f.Write([]byte("x")); err == nil {
		t.Error("the file can be written")
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	closeTest(t, d)
}

func TestMoveAndDrop(t *testing.T) {
	dir := t.TempDir()
	d := openTest(t, dir, 32<<20)
	const size = 2 * BlockSize
	d.Write("a", "e", size, 0, blockOf(1, size, 0))
	d.Write("b", "e", size, 1, blockOf(2, size, 1))
	d.Move("a", "e", "b", "e", size)
	if holds(t, d, "a", 1, size, 0) || !holds(t, d, "b", 1, size, 0) || holds(t, d, "b", 2, size, 1) {
		t.Error("a moved version has wrong bytes or a wrong name")
	}
	d.Move("none", "e", "x", "e", size)
	counted(t, d)
	closeTest(t, d)
	d = openTest(t, dir, 32<<20)
	if !holds(t, d, "b", 1, size, 0) {
		t.Error("a moved version was lost by a restart")
	}
	d.Drop("b", "e")
	if holds(t, d, "b", 1, size, 0) || d.Used() != 0 {
		t.Errorf("a dropped version is there, or its %d bytes", d.Used())
	}
	closeTest(t, d)
}

// BenchmarkRead reads blocks from the page cache and checks them, which took 20 µs per
// block (6.5 GB/s) on two virtual CPUs.
func BenchmarkRead(b *testing.B) {
	d := openTest(b, b.TempDir(), 256<<20)
	const size = 64 << 20
	for i := range int64(size / BlockSize) {
		d.Write("k", "e", size, i, blockOf(1, size, i))
	}
	p := make([]byte, BlockSize)
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		if !d.Read("k", "e", size, i%(size/BlockSize), p) {
			b.Fatal("not there")
		}
	}
	closeTest(b, d)
}

// BenchmarkWrite writes blocks and evicts others, which took 30 to 140 µs per block on two
// virtual CPUs.
func BenchmarkWrite(b *testing.B) {
	d := openTest(b, b.TempDir(), 256<<20)
	const size = 1 << 40
	p := blockOf(1, size, 0)
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		d.Write("k", "e", size, i, p)
	}
	closeTest(b, d)
}
