package fs

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
)

// BenchmarkInodeBytes reports what an inode takes that was only looked up, with its
// name and its places in the maps.
func BenchmarkInodeBytes(b *testing.B) {
	const dirs, files = 100, 1000
	for b.Loop() {
		before := heap()
		t := newInodes(dirEntry(""))
		at := time.Unix(1700000000, 0)
		for d := range dirs {
			dir := t.enter(t.root, fmt.Sprintf("d%04d", d), dirEntry(fmt.Sprintf("d%04d/", d)))
			for i := range files {
				name := fmt.Sprintf("file-%07d", i)
				t.enter(dir, name, entry.Entry{
					Key: fmt.Sprintf("d%04d/%s", d, name), Kind: entry.File, Size: 5,
					ETag: fmt.Sprintf("\"%032x\"", d*files+i), LastModified: at,
					Attr: entry.Attr{Perm: 0o644, Mtime: at, Ctime: at, Atime: at},
				})
			}
		}
		b.ReportMetric(float64(heap()-before)/(dirs*files), "bytes/inode")
		runtime.KeepAlive(t)
	}
}

// heap returns the bytes of live objects.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
