package fs

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"
)

// TestObserved sends requests of several kinds and looks at what was counted.
func TestObserved(t *testing.T) {
	k := newKernel(t)
	k.srv.PutObject(testBucket, "dir/file", []byte("0123456789"), nil)
	o := newObserved(k.f)
	h := header(rootID)
	var entry fuse.EntryOut
	for _, name := range []string{"dir", "dir", "absent"} {
		if st := o.Lookup(nil, &h, name, &entry); st != fuse.OK {
			t.Fatalf("lookup %s: %v", name, st)
		}
		if entry.NodeId != 0 { // that of a name that is absent
			k.refs[entry.NodeId]++
		}
	}
	id, st := k.lookup("dir/file")
	if st != fuse.OK {
		t.Fatal(st)
	}
	in := fuse.OpenIn{InHeader: header(id), Flags: syscall.O_RDONLY}
	var out fuse.OpenOut
	if st := o.Open(nil, &in, &out); st != fuse.OK {
		t.Fatal(st)
	}
	k.open[out.Fh] = id
	res, st := o.Read(nil, &fuse.ReadIn{InHeader: header(id), Fh: out.Fh, Size: 4096}, make([]byte, 4096))
	if st != fuse.OK {
		t.Fatal(st)
	}
	res.Done()
	if _, st := o.Write(nil, &fuse.WriteIn{InHeader: header(id), Fh: out.Fh + 1}, []byte("x")); st != fuse.EBADF {
		t.Errorf("write to no handle: %v", st)
	}
	s := o.stats()
	for name, want := range map[string]uint64{"lookup": 3, "open": 1, "read": 1, "write": 1, "getattr": 0} {
		if got := s.Requests.Operations[name]; got.Count != want || got.Errors != 0 {
			t.Errorf("%s: counted %+v, want %d", name, got, want)
		}
	}
	if s.Requests.Read != 10 || s.Requests.Written != 0 || s.Requests.InFlight != 0 {
		t.Errorf("requests %+v", s.Requests)
	}
	if s.Cache.Metadata.Hits == 0 || s.Cache.Metadata.Misses == 0 || s.Cache.Blocks.Hits+s.Cache.Blocks.Misses != 1 {
		t.Errorf("caches %+v", s.Cache)
	}
	if s.Memory.Limit != k.f.o.MemoryLimit || s.Memory.Used == 0 || s.Inodes.Open != 1 || s.Inodes.Known < 3 {
		t.Errorf("memory %+v, inodes %+v", s.Memory, s.Inodes)
	}
}

// TestStatsJSON checks the JSON form of Stats, which is part of the control interface.
func TestStatsJSON(t *testing.T) {
	k := newKernel(t)
	text, err := json.Marshal(newObserved(k.f).stats())
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`"fuse":{"operations":{},"bytes_read":0,"bytes_written":0,"in_flight":0,"oldest_seconds":0,"slow":0}`,
		`"cache":{"metadata":{"hits":0,"misses":0,"bytes":`, `"limit":268435456`,
		`"writes":{"files":0,"dirty":0,"spool":0,"uploads":0,"in_flight":0,"commits":0,"conflicts":0,"recovered":0}`,
		`"journal":{"count":0,"bytes":0,"oldest_seconds":0}`, `"uploads":null`,
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("the JSON form lacks %s:\n%s", want, text)
		}
	}
}

func TestFaults(t *testing.T) {
	for s, want := range map[fuse.Status]bool{
		fuse.OK: false, fuse.ENOENT: false, fuse.EINTR: false, fuse.ENOSYS: false, fuse.ENODATA: false,
		fuse.EIO: true, fuse.EACCES: true, fuse.Status(syscall.ESTALE): true, fuse.Status(syscall.ENOSPC): true,
	} {
		if got := isFault(s); got != want {
			t.Errorf("%v is a fault: %v", s, got)
		}
	}
}

// BenchmarkObserved shows what counting costs: the same request, answered from
// memory, with and without it.
func BenchmarkObserved(b *testing.B) {
	k := newKernel(b)
	k.srv.PutObject(testBucket, "file", []byte(strings.Repeat("x", 4096)), nil)
	id, _ := k.lookup("file")
	o := newObserved(k.f)
	var open fuse.OpenOut
	if st := k.f.Open(nil, &fuse.OpenIn{InHeader: header(id)}, &open); st != fuse.OK {
		b.Fatal(st)
	}
	k.open[open.Fh] = id
	in := fuse.ReadIn{InHeader: header(id), Fh: open.Fh, Size: 4096}
	buf := make([]byte, 4096)
	attr := fuse.GetAttrIn{InHeader: header(id)}
	var out fuse.AttrOut
	for _, way := range []struct {
		name string
		fs   fuse.RawFileSystem
	}{{"plain", k.f}, {"observed", o}} {
		b.Run("read/"+way.name, func(b *testing.B) {
			for b.Loop() {
				res, st := way.fs.Read(nil, &in, buf)
				if st != fuse.OK {
					b.Fatal(st)
				}
				res.Done()
			}
		})
		b.Run("getattr/"+way.name, func(b *testing.B) {
			for b.Loop() {
				way.fs.GetAttr(nil, &attr, &out)
			}
		})
	}
}
