package fs

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// mostInodeBytes is the room that an inode may take that was only looked up.
const mostInodeBytes = 300

// enterMany looks up names in directories of a thousand files, as a walk of a large
// bucket does. It calls each after every directory.
func enterMany(t *inodes, files int, each func()) {
	const perDir = 1000
	at := time.Unix(1700000000, 0)
	for d := range files / perDir {
		dir := t.enter(t.root, fmt.Sprintf("d%04d", d), dirEntry(fmt.Sprintf("d%04d/", d)))
		for i := range perDir {
			name := fmt.Sprintf("file-%07d", i)
			t.enter(dir, name, entry.Entry{
				Key: fmt.Sprintf("d%04d/%s", d, name), Kind: entry.File, Size: 5,
				ETag: fmt.Sprintf("\"%032x\"", d*files+i), LastModified: at,
				Attr: entry.Attr{Perm: 0o644, Mtime: at, Ctime: at, Atime: at},
			})
		}
		each()
	}
}

// inodeSize returns the bytes of an inode that was only looked up, with its name and
// its places in the table.
func inodeSize() float64 {
	const files = 100_000
	before := heap()
	t := newInodes(dirEntry(""))
	enterMany(t, files, func() {})
	size := float64(int64(heap())-int64(before)) / files
	runtime.KeepAlive(t)
	return size
}

// TestInodeBytes checks that an inode is as small as the table counts it, and as
// DESIGN.md promises.
func TestInodeBytes(t *testing.T) {
	var size float64
	for range 3 { // what other tests have left may go or come meanwhile
		if size = inodeSize(); size > inodeBytes/2 && size <= mostInodeBytes {
			return
		}
	}
	t.Errorf("an inode takes %.0f bytes, want at most %d; the table counts %d", size, mostInodeBytes, inodeBytes)
}

// TestManyNamesTakeLittle enters 100,000 names into a table that may have 4 MiB, with a
// kernel that forgets the inodes that it is asked to forget.
func TestManyNamesTakeLittle(t *testing.T) {
	const limit = 4 << 20
	run := func() (most int64) {
		before := heap()
		tab := newInodes(dirEntry(""))
		tab.bound(limit, func(int64) {})
		p := &pruner{inodes: tab, kernel: &forgetfulKernel{t: tab}}
		enterMany(tab, 100_000, func() {
			for tab.excess() > 0 && p.prune(t.Context()) {
			}
			most = max(most, int64(tab.count()))
		})
		tab.check(t)
		if got := int64(heap()) - int64(before); got > 2*limit {
			most = max(most, got/inodeBytes)
		}
		runtime.KeepAlive(tab)
		return most
	}
	var most int64
	for range 3 { // what other tests have left may go or come meanwhile
		if most = run(); most*inodeBytes <= limit+1000*inodeBytes {
			return
		}
	}
	t.Errorf("there is memory for %d inodes, want that of %d", most, limit/inodeBytes)
}

// BenchmarkInodeBytes reports the bytes of an inode that was only looked up.
func BenchmarkInodeBytes(b *testing.B) {
	for b.Loop() {
		b.ReportMetric(inodeSize(), "bytes/inode")
	}
}

// BenchmarkMillionInodes looks up a million names in a table that may have 16 MiB, as
// "find" does on a mount with --memory-limit 64M.
func BenchmarkMillionInodes(b *testing.B) {
	for b.Loop() {
		before, most := heap(), uint64(0)
		tab := newInodes(dirEntry(""))
		tab.bound(16<<20, func(int64) {})
		p := &pruner{inodes: tab, kernel: &forgetfulKernel{t: tab}}
		dirs := 0
		enterMany(tab, 1_000_000, func() {
			for tab.excess() > 0 && p.prune(b.Context()) {
			}
			if dirs++; dirs%100 == 0 {
				most = max(most, heap())
			}
		})
		b.ReportMetric(float64(most-before)/(1<<20), "MiB")
		runtime.KeepAlive(tab)
	}
}

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
