package writeback

import (
	"os"
	"testing"
	"time"
)

// TestReplayOfReplacedObject checks the replay of a whole replacement that S3 had before the mount
// died, without a done record. Later writes must stay, also within the same second, which is the
// precision of S3.
func TestReplayOfReplacedObject(t *testing.T) {
	for name, newer := range map[string]struct {
		write    bool // the mount wrote again after the record
		replaces bool // the record has the version that it replaces
	}{
		"replaced again":                {write: true, replaces: true},
		"replaced again, unknown":       {write: true},
		"the replaced version is there": {replaces: true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			b := newBench(t, dir, 16<<20, withJournal(dir))
			g := newGate("put")
			v := b.s.put("k", []byte("before"))
			in := OpenInput{Key: "k"}
			if newer.replaces {
				in.Replaces = v.ETag
			}
			b.s.hook(g.hook, nil)
			f := b.Open(in)
			mustWrite(t, f, []byte("replacement"), 0)
			mustPersist(t, f)
			dir2 := t.TempDir()
			after := b.crash(t, dir2)
			want := "replacement"
			if newer.write {
				want = "written later"
				after.s.put("k", []byte(want))
			}
			after.s.objects["k"].modified = time.Now().Truncate(time.Second)
			mustReplay(t, after, 1)
			sameContent(t, "the object", after.s.object("k"), []byte(want))
			left, _ := os.ReadDir(dir2 + "/recovery")
			if kept := len(left) > 0; kept != newer.write {
				t.Errorf("kept in the recovery directory: %v", left)
			}
			after.end(t)
			close(g.open)
			mustClose(t, f)
			b.end(t)
		})
	}
}

// TestUnsyncedRecord checks that a record whose close failed is ended like others, so that it is
// not replayed.
func TestUnsyncedRecord(t *testing.T) {
	j, err := newJournal(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.put(t.Context(), &record{Kind: recordFile, File: 1, Seq: 1}, nil); err != nil {
		t.Fatal(err)
	}
	// The file takes writes but cannot be synced (fsync(2), EINVAL).
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	first := j.segments[0]
	first.file, null = null, first.file
	if err := j.put(t.Context(), &record{Kind: recordFile, File: 2, Seq: 1, Ends: []uint64{1}}, nil); err == nil {
		t.Fatal("synced a file that cannot be synced")
	}
	first.file, null = null, first.file
	if err := null.Close(); err != nil {
		t.Error(err)
	}
	if n, _, _ := j.queue(); n != 2 {
		t.Errorf("%d files are queued, want 2: nothing on disk ends the first", n)
	}
	for id := range uint64(2) {
		if err := j.done(id+1, 1); err != nil {
			t.Fatal(err)
		}
	}
	if len(j.segments) != 1 {
		t.Fatalf("%d segments", len(j.segments))
	}
	var done []uint64
	if err := scanRecords(j.segments[0].file, func(s scanned, bad error) {
		if bad != nil || s.Kind != recordDone {
			t.Errorf("%+v, %v", s.record, bad)
		}
		done = append(done, s.File)
	}); err != nil {
		t.Error(err)
	}
	if len(done) != 2 {
		t.Errorf("notes of %v, want both files", done)
	}
	if err := j.close(); err != nil {
		t.Error(err)
	}
}
