package cache

import (
	"bytes"
	"context"
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

func openTestDisk(t testing.TB, dir string, size int64, change ...func(*DiskOptions)) *Disk {
	t.Helper()
	o := DiskOptions{Dir: dir, Size: size, Namespace: "http://s3/b"}
	for _, f := range change {
		f(&o)
	}
	d, err := OpenDisk(o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func closeDisk(t testing.TB, d *Disk) {
	t.Helper()
	if err := d.Close(); err != nil {
		t.Error(err)
	}
}

// blockOf returns block index of a version of size bytes whose bytes follow from seed.
func blockOf(seed, size, index int64) []byte {
	return want(seed*1_000_003+index*BlockSize, int(min(BlockSize, size-index*BlockSize)))
}

// holds tells whether the disk has a block; it fails the test if its bytes are wrong.
func holds(t testing.TB, d *Disk, key string, seed, size, index int64) bool {
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

// counted fails the test if the counter is not what the files say.
func counted(t testing.TB, d *Disk) {
	t.Helper()
	if used, real := d.Used(), d.count(); used != real {
		t.Errorf("%d bytes are counted, the files say %d", used, real)
	}
}

func TestDiskSurvivesRestart(t *testing.T) {
	dir := t.TempDir()
	const size = 3*BlockSize + 100
	for round := range 3 {
		d := openTestDisk(t, dir, 64<<20)
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
		closeDisk(t, d)
	}
	other := openTestDisk(t, dir, 64<<20, func(o *DiskOptions) { o.Namespace = "http://s3/other" })
	if holds(t, other, "k", 1, size, 0) {
		t.Error("another bucket's bytes were served")
	}
	closeDisk(t, other)
	info, err := os.Stat(filepath.Join(dir, diskFolder))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder's mode is %v, error %v", info.Mode(), err)
	}
}

// TestDiskDamage damages the files of a version in all ways: nothing of it may
// be served, and a new copy of it must be possible.
func TestDiskDamage(t *testing.T) {
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
				d := openTestDisk(t, dir, 64<<20)
				d.Write("k", "e", size, 0, blockOf(1, size, 0))
				if restart {
					closeDisk(t, d)
				}
				damage(t, dir)
				if restart {
					d = openTestDisk(t, dir, 64<<20)
				}
				holds(t, d, "k", 1, size, 0) // may be, if only names are gone; then the bytes are right
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
				closeDisk(t, d)
			})
		}
	}
}

// TestDiskShared uses one folder by two mounts at once.
func TestDiskShared(t *testing.T) {
	dir := t.TempDir()
	const limit, size = 24 << 20, 2*BlockSize + 5
	a, b := openTestDisk(t, dir, limit), openTestDisk(t, dir, limit)
	a.Write("k", "e", size, 0, blockOf(1, size, 0))
	b.Write("k", "e", size, 1, blockOf(1, size, 1))
	if !holds(t, b, "k", 1, size, 0) || !holds(t, a, "k", 1, size, 1) {
		t.Error("what one wrote the other does not have")
	}
	var wg sync.WaitGroup
	for n, d := range []*Disk{a, b} {
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
	closeDisk(t, a)
	b.Write("k3", "e", size, 0, blockOf(3, size, 0))
	used := b.Used()
	closeDisk(t, b)
	c := openTestDisk(t, dir, limit)
	if c.Used() != used {
		t.Errorf("%d bytes used after a restart, %d before", c.Used(), used)
	}
	closeDisk(t, c)
}

// TestDiskCrash: the count of who did not leave in order is not believed.
func TestDiskCrash(t *testing.T) {
	dir := t.TempDir()
	d := openTestDisk(t, dir, 64<<20)
	d.Write("k", "e", 1000, 0, blockOf(1, 1000, 0))
	used := d.Used()
	d.usage.bytes.Add(12345)
	for _, f := range []io.Closer{d.lock, d.root} { // as the kernel does for a killed process
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	folder := filepath.Join(dir, diskFolder)
	for _, path := range []string{"foreign", "ab/foreign", "ab/" + strings.Repeat("c", 62) + dataEnd, "ab/" + strings.Repeat("d", 62) + indexEnd} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, path), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d = openTestDisk(t, dir, 64<<20)
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
	closeDisk(t, d)
}

func TestDiskRefusesForeignFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(t.TempDir(), filepath.Join(dir, diskFolder)); err != nil {
		t.Fatal(err)
	}
	if d, err := OpenDisk(DiskOptions{Dir: dir, Size: 64 << 20}); err == nil {
		t.Error("a link was followed")
		closeDisk(t, d)
	}
	for _, o := range []DiskOptions{{Size: 64 << 20}, {Dir: dir}, {Dir: dir, Size: 64 << 20, MinFree: -1}} {
		if _, err := OpenDisk(o); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestDiskFile(t *testing.T) {
	d := openTestDisk(t, t.TempDir(), 32<<20)
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
	// Whatever is written meanwhile, its bytes stay.
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
	closeDisk(t, d)
}

func TestDiskMoveAndDrop(t *testing.T) {
	dir := t.TempDir()
	d := openTestDisk(t, dir, 32<<20)
	const size = 2 * BlockSize
	d.Write("a", "e", size, 0, blockOf(1, size, 0))
	d.Write("b", "e", size, 1, blockOf(2, size, 1))
	d.Move("a", "e", "b", "e", size)
	if holds(t, d, "a", 1, size, 0) || !holds(t, d, "b", 1, size, 0) || holds(t, d, "b", 2, size, 1) {
		t.Error("a moved version is not what and where it should be")
	}
	d.Move("none", "e", "x", "e", size)
	counted(t, d)
	closeDisk(t, d)
	d = openTestDisk(t, dir, 32<<20)
	if !holds(t, d, "b", 1, size, 0) {
		t.Error("a moved version was lost by a restart")
	}
	d.Drop("b", "e")
	if holds(t, d, "b", 1, size, 0) || d.Used() != 0 {
		t.Errorf("a dropped version is there, or its %d bytes", d.Used())
	}
	closeDisk(t, d)
}

// TestBlocksOverDisk: what memory forgets comes back from the disk.
func TestBlocksOverDisk(t *testing.T) {
	dir := t.TempDir()
	const size = 20*BlockSize + 77
	for round := range 2 {
		c := testBlocks(64 << 20)
		c.UseDisk(openTestDisk(t, dir, 64<<20))
		o := c.Object("k", "e", size)
		if round == 0 {
			read(o, 0, 5*BlockSize)
			read(o, 10*BlockSize, 20*BlockSize)
		}
		if round == 1 {
			p := o.Pin(0, size)
			f := p.Claim(0, false)
			f.Load()
			if f.Offset() != 5*BlockSize || f.Span() != 5*BlockSize {
				t.Errorf("loaded up to %d, then %d bytes are missing", f.Offset(), f.Span())
			}
			fillSpan(f)
			f.Load()
			if f.Rest() != 0 {
				t.Errorf("%d bytes are missing at the end", f.Rest())
			}
			if err := p.Wait(context.Background()); err != nil || !bytes.Equal(bytes.Join(p.Slices(), nil), want(0, size)) {
				t.Errorf("wrong bytes, error %v", err)
			}
			p.Done()
		}
		o.Close()
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		c.Purge()
		if s := c.Stats(); s != (BlocksStats{}) {
			t.Errorf("at the end: %+v", s)
		}
	}
}

// fillSpan brings the bytes up to the next block that the disk has.
func fillSpan(f *Fill) {
	for end := f.Offset() + int64(f.Span()); f.Offset() < end; {
		p := f.Next()
		pattern(p, f.Offset())
		f.Advance(len(p))
	}
}

func BenchmarkDiskRead(b *testing.B) {
	d := openTestDisk(b, b.TempDir(), 256<<20)
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
	closeDisk(b, d)
}

func BenchmarkDiskWrite(b *testing.B) {
	d := openTestDisk(b, b.TempDir(), 256<<20)
	const size = 1 << 40
	p := blockOf(1, size, 0)
	b.SetBytes(BlockSize)
	b.ReportAllocs()
	for i := int64(0); b.Loop(); i++ {
		d.Write("k", "e", size, i, p)
	}
	closeDisk(b, d)
}
