package readahead

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/cache/disk"
	"github.com/s3mount/s3mount/s3"
)

// withDisk puts a disk cache under r.
func withDisk(t *testing.T, r *rig, dir string) {
	t.Helper()
	d, err := disk.Open(disk.Options{Dir: dir, Size: 64 * mib, Namespace: "test"})
	if err != nil {
		t.Fatal(err)
	}
	r.blocks.UseDisk(d)
}

func (r *rig) endDisk(t *testing.T) {
	t.Helper()
	r.Close()
	if err := r.blocks.Close(); err != nil {
		t.Error(err)
	}
	r.end(t)
}

// TestDiskCacheAfterRestart checks that an open after a restart sends one request without a body,
// and that reads come from the disk.
func TestDiskCacheAfterRestart(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 5*mib+77, 1)

		r := newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd := mustOpen(t, r, "k", Version{})
		for off := int64(0); off < v.Size; off += 256 << 10 {
			check(t, rd, 1, off, 256<<10)
		}
		rd.Close()
		r.endDisk(t)

		before, gets := store.sent, len(store.gets)
		r = newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd, info, err := r.Open(context.Background(), "k", v)
		if err != nil || info != nil {
			t.Fatalf("open: info %v, error %v", info, err)
		}
		start := time.Now()
		readAll(t, rd, 1, mib)
		if took := time.Since(start); took != 0 {
			t.Errorf("reading from the disk cache took %v of the link", took)
		}
		if store.sent != before || len(store.gets) != gets+1 {
			t.Errorf("%d bytes, %d GETs", store.sent-before, len(store.gets)-gets)
		}
		f := r.LocalFile(v)
		if f == nil {
			t.Fatal("no local file of a wholly cached object")
		}
		if got, err := io.ReadAll(f); err != nil || !bytes.Equal(got, wantContent(1, 0, int(v.Size))) {
			t.Errorf("the local file has wrong bytes, error %v", err)
		}
		if err := f.Close(); err != nil {
			t.Error(err)
		}
		if f := r.LocalFile(Version{Key: "k", ETag: `"other"`, Size: v.Size}); f != nil {
			t.Error("a local file of another version")
		}
		rd.Close()
		r.endDisk(t)
	})
}

// TestDiskCacheGaps checks that only blocks that are absent from the disk are fetched, and that a
// change of the object is detected although parts of it are cached.
func TestDiskCacheGaps(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 4*mib, 1)
		r := newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd := r.OpenVersion(v)
		check(t, rd, 1, mib, 100)
		check(t, rd, 1, 2*mib+300_000, 100)
		time.Sleep(time.Second) // the rest of the blocks arrives after the read
		rd.Close()
		r.endDisk(t)

		before := store.sent
		r = newRig(t, store, 64*mib)
		withDisk(t, r, dir)
		rd = r.OpenVersion(v)
		check(t, rd, 1, 0, 4*mib)
		if got := store.sent - before; got != 4*mib-2*cache.BlockSize {
			t.Errorf("%d bytes fetched", got)
		}
		rd.Close()
		r.endDisk(t)

		r = newRig(t, store, 64*mib, func(o *Options) { o.fetchSize = mib })
		withDisk(t, r, t.TempDir())
		rd = r.OpenVersion(v)
		check(t, rd, 1, mib, 100)
		store.put("k", 4*mib, 2)
		if _, err := rd.ReadAt(context.Background(), 0, 2*mib); !errors.Is(err, ErrStale) {
			t.Errorf("read of a changed object: %v", err)
		}
		rd.Close()
		if _, _, err := r.Open(context.Background(), "none", v); !errors.Is(err, s3.ErrNotFound) {
			t.Errorf("open of another key: %v", err)
		}
		r.endDisk(t)
	})
}

// TestDiskCacheLanes checks that a stream whose bytes are on the disk does not load them on all
// connections beside the read that waits. Bytes that are not on the disk use all connections.
func TestDiskCacheLanes(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 192*mib, 1)
		r := newRig(t, store, 96*mib)
		withDisk(t, r, dir)
		rd := r.OpenVersion(v)
		readUpTo(t, rd, 24*mib)
		rd.Close()
		r.endDisk(t)

		r = newRig(t, store, 96*mib)
		withDisk(t, r, dir)
		rd = mustOpen(t, r, "k", v)
		s := &stream{r: rd}
		if s.begin(0, mib); !s.local {
			t.Error("a stream that begins does not know that the disk cache has its bytes")
		}
		gets := len(store.gets)
		readUpTo(t, rd, 8*mib)
		if s := rd.streams[0]; !s.local || runsBeside(s, localLanes) || len(store.gets) != gets {
			t.Errorf("local %v, a third fetch beside two %v, %d GETs of blocks that the disk has",
				s.local, runsBeside(s, localLanes), len(store.gets)-gets)
		}
		readUpTo(t, rd, 48*mib)
		if s := rd.streams[0]; s.local || !runsBeside(s, localLanes) {
			t.Errorf("local %v, a third fetch beside two %v where the disk has nothing", s.local, runsBeside(s, localLanes))
		}
		rd.Close()
		r.endDisk(t)
	})
}

// runsBeside reports whether a stream starts a fetch while n others run.
func runsBeside(s *stream, n int) bool {
	was := s.inflight
	s.inflight = n
	_, _, ok := s.plan(s.r.obj.Size())
	s.inflight = was
	return ok
}

// TestDiskCacheOfBeginning checks that the beginning of a file in the disk cache does not count as
// the whole file.
func TestDiskCacheOfBeginning(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		store := link20()
		v := store.put("k", 64*mib, 1)
		for i := range 2 {
			r := newRig(t, store, 96*mib)
			withDisk(t, r, dir)
			rd := mustOpen(t, r, "k", v)
			check(t, rd, 1, 0, 4<<10)
			time.Sleep(time.Second) // the rest of the bytes of Open arrives after the read
			if there := r.blocks.OnDisk("k", v.ETag, v.Size, 0); i > 0 && !there || rd.local {
				t.Errorf("open %d: the first block on disk %v, and taken for all of it %v", i, there, rd.local)
			}
			rd.Close()
			r.endDisk(t)
		}
	})
}

// readUpTo reads the bytes up to n that a reader has not read yet, in order.
func readUpTo(t *testing.T, rd *Reader, n int64) {
	t.Helper()
	off := int64(0)
	if len(rd.streams) > 0 {
		off = rd.streams[0].high
	}
	for ; off < n; off += mib {
		check(t, rd, 1, off, mib)
		synctest.Wait()
	}
}
