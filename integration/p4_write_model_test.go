package integration

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP4WriteModel checks that a file supports every kind of write of a local file, and
// that unchanged ranges of large files are copied inside S3. It does not cover files of
// 5 TiB.
func TestP4WriteModel(t *testing.T) {
	t.Parallel()
	run(t, "random operations", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		for seed := range uint64(4) {
			t.Logf("seed %d", seed)
			randomOperations(t, w, m, bucket, rand.New(rand.NewPCG(seed, 1)))
		}
	})
	run(t, "sparse", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		want := make([]byte, 20<<20)
		f, err := os.Create(m.Path("f"))
		must(t, err)
		must(t, f.Truncate(int64(len(want))))
		for _, off := range []int64{0, 9 << 20, 20<<20 - 4} {
			_, err = f.WriteAt([]byte("data"), off)
			must(t, err)
			copy(want[off:], "data")
		}
		must(t, f.Close())
		wantObject(t, w, bucket, "f", want)
	})
	run(t, "many handles", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		a, err := os.OpenFile(m.Path("f"), os.O_RDWR|os.O_CREATE, 0o644)
		must(t, err)
		b, err := os.OpenFile(m.Path("f"), os.O_WRONLY|os.O_APPEND, 0)
		must(t, err)
		_, err = a.WriteString("one")
		must(t, err)
		_, err = b.WriteString("two")
		must(t, err)
		got := make([]byte, 10)
		n, err := a.ReadAt(got, 0)
		if string(got[:n]) != "onetwo" || !errors.Is(err, io.EOF) {
			t.Errorf("one handle reads %q (%v) after two wrote", got[:n], err)
		}
		must(t, b.Close())
		_, err = a.WriteAt([]byte("ONE"), 0)
		must(t, err)
		must(t, a.Close())
		wantObject(t, w, bucket, "f", []byte("ONEtwo"))
	})
	run(t, "shared mapping", func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		body := payload(1, 3<<20)
		must(t, os.WriteFile(m.Path("f"), body, 0o644))
		if r := w.Op(t, "mmap", m.Path("f")); r.Code != 0 {
			t.Fatal(r.Out)
		}
		copy(body[1<<20+5:], "mapped")
		wantObject(t, w, bucket, "f", body)
	})
	run(t, "change inside a large file", testChangeInside)
}

// randomOperations holds a file to a byte slice, through several handles, with
// the bucket looked at after each close.
func randomOperations(t *testing.T, w *harness.World, m *harness.Mount, bucket *harness.Referee, r *rand.Rand) {
	const limit = 24 << 20 // three parts
	var model []byte
	key := w.Name("f")
	for range 4 {
		f, err := os.OpenFile(m.Path(key), os.O_RDWR|os.O_CREATE, 0o644)
		must(t, err)
		for range 40 {
			off := r.IntN(len(model) + 1)
			if r.IntN(10) == 0 {
				off = r.IntN(limit / 2) // leaves a hole, maybe
			}
			n := []int{1, 100, 4096, 200_000, 2 << 20}[r.IntN(5)] + r.IntN(50)
			switch r.IntN(8) {
			case 0:
				must(t, f.Truncate(int64(off)))
				model = resized(model, off)
			case 1, 2, 3:
				got := make([]byte, n)
				k, err := f.ReadAt(got, int64(off))
				want := model[min(off, len(model)):min(off+n, len(model))]
				if !bytes.Equal(got[:k], want) || err != nil && !errors.Is(err, io.EOF) {
					t.Fatalf("read of %d at %d: %d bytes (%v), want %d, first difference at %d", n, off, k, err, len(want), firstDiff(got[:k], want))
				}
			case 4:
				must(t, f.Sync())
			default:
				b := payload(r.IntN(1<<20), n)
				_, err := f.WriteAt(b, int64(off))
				must(t, err)
				model = resized(model, max(len(model), off+n))
				copy(model[off:], b)
			}
		}
		must(t, f.Close())
		wantObject(t, w, bucket, key, model)
	}
}

// resized returns the content of a file after truncate.
func resized(b []byte, n int) []byte {
	if n <= len(b) {
		return b[:n:n]
	}
	return append(b[:len(b):len(b)], make([]byte, n-len(b))...)
}

// testChangeInside changes a little of 96 MiB and counts the bytes moved.
func testChangeInside(t *testing.T, w *harness.World) {
	m, bucket, proxy := mountOf(t, w)
	body := payload(1, 96<<20)
	must(t, bucket.Put(w.Context(t), "f", body, nil))
	const most = 24 << 20 // two parts of 8 MiB, each way, and readahead
	check := func(what string) {
		t.Helper()
		sent, received := proxy.Bytes()
		t.Logf("%s: sent %d MiB, received %d MiB, %v", what, sent>>20, received>>20, proxy.Counts())
		if sent > most || received > most {
			t.Errorf("%s moved %d bytes to S3 and %d back, want at most %d each", what, sent, received, most)
		}
		wantObject(t, w, bucket, "f", body)
		proxy.Reset()
	}
	proxy.Reset()
	f, err := os.OpenFile(m.Path("f"), os.O_RDWR, 0)
	must(t, err)
	_, err = f.WriteAt([]byte("changed"), 40<<20)
	must(t, err)
	copy(body[40<<20:], "changed")
	must(t, f.Close())
	check("a change")
	f, err = os.OpenFile(m.Path("f"), os.O_WRONLY|os.O_APPEND, 0)
	must(t, err)
	_, err = f.WriteString("tail")
	must(t, err)
	body = append(body, "tail"...)
	must(t, f.Close())
	check("an append")
}

// mmapOp writes to a file through a shared mapping. A page fault stops its
// whole process while the mount works, so nothing else may live in it.
func mmapOp(args []string) error {
	f, err := os.OpenFile(args[0], os.O_RDWR, 0)
	if err != nil {
		return err
	}
	st, err := f.Stat()
	if err != nil {
		return err
	}
	b, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	copy(b[1<<20+5:], "mapped")
	return errors.Join(unix.Msync(b, unix.MS_SYNC), unix.Munmap(b), f.Sync(), f.Close())
}
