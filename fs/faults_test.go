package fs

import (
	"fmt"
	"maps"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// faultWork is one operation on a bucket that holds old.
type faultWork struct {
	name     string
	old, new tree
	// do returns the first error, and what is still open.
	do func(k *kernel) (fuse.Status, []uint64)
	// rename: both names may be there when it failed (P5).
	rename bool
}

// writeAll writes data in pieces of 1 MiB and flushes, as cp and dd do.
func writeAll(k *kernel, fh uint64, off int64, data string) fuse.Status {
	const piece = 1 << 20
	for at := 0; at < len(data); at += piece {
		part := []byte(data[at:min(at+piece, len(data))])
		in := &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, Offset: uint64(off) + uint64(at)}
		if _, st := k.f.Write(nil, in, part); st != fuse.OK {
			return st
		}
	}
	return k.flush(fh)
}

// openAndWrite opens with flags, creating if need be, and writes at off.
func openAndWrite(p string, flags uint32, off int64, data string) func(*kernel) (fuse.Status, []uint64) {
	return func(k *kernel) (fuse.Status, []uint64) {
		fh, st := k.tryOpen(p, flags)
		if st == fuse.ENOENT {
			fh, st = k.tryCreate(p, flags)
		}
		if st != fuse.OK {
			return st, nil
		}
		return writeAll(k, fh, off, data), []uint64{fh}
	}
}

// largeBytes is three parts, the smallest number of which one is neither the
// first nor the last.
const largeBytes = 2*s3.MinPartSize + 1000

func faultWorks() []faultWork {
	large := strings.Repeat("abcdefgh", largeBytes/8)
	return []faultWork{
		{name: "create", old: tree{}, new: tree{"k": "text"}, do: openAndWrite("k", syscall.O_WRONLY, 0, "text")},
		{name: "replace", old: tree{"k": "old"}, new: tree{"k": "text"}, do: openAndWrite("k", syscall.O_WRONLY|syscall.O_TRUNC, 0, "text")},
		{name: "overwrite", old: tree{"k": "old text"}, new: tree{"k": "new text"}, do: openAndWrite("k", syscall.O_WRONLY, 0, "new")},
		{name: "append", old: tree{"k": "old"}, new: tree{"k": "old text"}, do: openAndWrite("k", syscall.O_WRONLY, 3, " text")},
		{name: "multipart", old: tree{}, new: tree{"k": large}, do: openAndWrite("k", syscall.O_WRONLY, 0, large)},
		{name: "append to large", old: tree{"k": large}, new: tree{"k": large + "more"}, do: openAndWrite("k", syscall.O_WRONLY, int64(len(large)), "more")},
		{name: "rename over", old: tree{"k": "text", "to": "old"}, new: tree{"to": "text"}, rename: true,
			do: func(k *kernel) (fuse.Status, []uint64) { return k.rename("k", "to", 0), nil }},
		{name: "unlink", old: tree{"k": "text", "other": "x"}, new: tree{"other": "x"},
			do: func(k *kernel) (fuse.Status, []uint64) { return k.unlink("k"), nil }},
		{name: "unlink while it is uploaded", old: tree{}, new: tree{}, do: func(k *kernel) (fuse.Status, []uint64) {
			fh, st := k.tryCreate("k", syscall.O_WRONLY)
			if st != fuse.OK {
				return st, nil
			}
			for off := int64(0); off < int64(len(large)); off += 1 << 20 {
				in := &fuse.WriteIn{InHeader: header(k.open[fh]), Fh: fh, Offset: uint64(off)}
				if _, st := k.f.Write(nil, in, []byte(large[off:min(off+1<<20, int64(len(large)))])); st != fuse.OK {
					break // the upload in the background has failed
				}
			}
			return k.unlink("k"), []uint64{fh}
		}},
	}
}

// faultKinds are what befalls the nth request, and whether all after it, too.
var faultKinds = []struct {
	name    string
	fault   s3test.Fault
	forever bool
}{
	{"fails", s3test.Fail(nil), false},
	{"is refused for a moment", s3test.SlowDown(0), false},
	{"is executed, its answer lost", s3test.LoseAnswer(), false},
	{"comes twice", s3test.Twice(), false},
	{"is late", s3test.Delay(2 * time.Millisecond), false},
	{"is truncated", s3test.CutRequest(2, s3test.Reset), false},
	{"has its answer truncated", s3test.CutAnswer(10, s3test.Truncate), false},
	{"is the last that comes through", s3test.InternalError(), true},
	{"and all after it lose their answers", s3test.LoseAnswer(), true},
}

// TestEveryRequestFails does each operation with each fault at its nth request,
// for every n: a success means the new state, an error the old or the new one,
// never a blend, and no upload is left.
func TestEveryRequestFails(t *testing.T) {
	for _, w := range faultWorks() {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			for i, kind := range faultKinds {
				stride := 1
				if raceDetector {
					stride = 3
				}
				for n := 1 + i%stride; failOnce(t, w, n, kind.name, kind.fault, kind.forever); n += stride {
				}
			}
		})
	}
}

// failOnce tells whether there was an nth request.
func failOnce(t *testing.T, w faultWork, n int, kind string, fault s3test.Fault, forever bool) bool {
	t.Helper()
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	for key, data := range w.old {
		srv.PutObject(testBucket, key, []byte(data), nil)
	}
	k := mountOn(t, srv, srv.Client(func(o *s3.Options) { o.Deadline = 200 * time.Millisecond }), func(o *Options) {
		o.Posix, o.Delete, o.PartSize = "off", deleteSync, s3.MinPartSize
	})
	rule := s3test.Rule{Nth: n, Fault: fault}
	if forever {
		rule.Times = -1
	}
	lostCreate := false
	rule.Match = func(r *http.Request) bool {
		lostCreate = lostCreate || s3test.KindOf(r) == "CreateMultipartUpload"
		return true
	}
	faults.Add(rule)
	st, open := w.do(k)
	what := fmt.Sprintf("%s, request %d %s: %v", w.name, n, kind, syscall.Errno(st))
	struck := faults.Struck() > 0
	w.judge(t, what, objectsOf(srv), st == fuse.OK)
	faults.Clear()
	for _, fh := range open {
		k.release(fh)
	}
	k.unmount()
	w.judge(t, what+", at the end", objectsOf(srv), st == fuse.OK)
	// The answer that told its id was lost, or it was made twice.
	known := !lostCreate || !fault.Lost && !fault.Duplicate && fault.Cut == nil
	if up := srv.Uploads(testBucket); up > 0 && known {
		t.Errorf("%s: %d uploads are left", what, up)
	}
	return struck
}

// judge compares what S3 holds with what may be there.
func (w faultWork) judge(t *testing.T, what string, got tree, success bool) {
	t.Helper()
	want := []tree{w.new}
	if !success {
		want = append(want, w.old)
		if w.rename {
			both := maps.Clone(w.old)
			maps.Copy(both, w.new)
			want = append(want, both)
		}
	}
	if !oneOf(got, want) {
		t.Fatalf("%s: S3 holds %s, want one of %s", what, got, want)
	}
}

// objectsOf is everything in the bucket but for our own hints.
func objectsOf(srv *s3test.Server) tree {
	out := tree{}
	for _, key := range srv.Keys(testBucket) {
		if body, _, ok := srv.Object(testBucket, key); ok && !strings.HasPrefix(key, ".s3mount/") {
			out[key] = string(body)
		}
	}
	return out
}
