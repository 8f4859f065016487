package writeback

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

// TestOwedRecords checks that done records that a failing disk did not take are written when the
// disk works again. The content is then neither counted as queued nor replayed.
func TestOwedRecords(t *testing.T) {
	for name, pay := range map[string]func(j *journal) error{
		"drain": (*journal).writeOwed,
		"close": func(*journal) error { return nil },
		"next note": func(j *journal) error {
			if err := j.put(t.Context(), &record{Kind: recordFile, File: 9, Seq: 1}, nil); err != nil {
				return err
			}
			return j.done(9, 1)
		},
	} {
		testOwed(t, name+" of a commit", pay, func(j *journal) error { return j.done(2, 1) })
		testOwed(t, name+" of a removal", pay, func(j *journal) error { return j.drop(2) })
	}
}

func testOwed(t *testing.T, name string, pay, owe func(j *journal) error) {
	t.Run(name, func(t *testing.T) {
		j, err := newJournal(t.TempDir(), 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		for id := range uint64(3) {
			if err := j.put(t.Context(), &record{Kind: recordFile, File: id, Seq: 1}, nil); err != nil {
				t.Fatal(err)
			}
		}
		fail := func(s *segment) { // the disk takes no more writes
			f, err := os.Open(s.file.Name())
			if err = errors.Join(err, s.file.Close()); err != nil {
				t.Fatal(err)
			}
			s.file = f
		}
		fail(j.segments[0])
		if err := j.done(0, 1); err == nil {
			t.Fatal("noted in a file that takes nothing")
		}
		if err := j.done(1, 1); err != nil { // in a new segment
			t.Fatal(err)
		}
		fail(j.segments[1])
		if err := owe(j); err == nil {
			t.Fatal("noted in a file that takes nothing")
		}
		if n, _, _ := j.queue(); n != 1 {
			t.Errorf("%d files are queued, want the one that is owed", n)
		}
		if err := pay(j); err != nil {
			t.Error(err)
		}
		if n, _, _ := j.queue(); !strings.HasPrefix(name, "close") && n != 0 {
			t.Errorf("%d files are queued", n)
		}
		if err := j.close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(j.dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the journal is left behind: %v", err)
		}
	})
}

// TestFailedRecordTakesNoRoom checks that the bytes of a failed write are cut off, so that they use
// neither the disk nor the limit.
func TestFailedRecordTakesNoRoom(t *testing.T) {
	j, err := newJournal(t.TempDir(), 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.put(t.Context(), &record{Kind: recordFile, File: 1, Seq: 1}, nil); err != nil {
		t.Fatal(err)
	}
	before := j.bytes
	bad := errors.New("disk is full")
	r := &record{Kind: recordFile, File: 2, Seq: 1, Extents: []recordExtent{{N: 5000}}}
	if err := j.put(t.Context(), r, io.MultiReader(bytes.NewReader(make([]byte, 4000)), iotest.ErrReader(bad))); !errors.Is(err, bad) {
		t.Fatalf("put: %v", err)
	}
	if j.bytes != before {
		t.Errorf("%d bytes are counted, want %d", j.bytes, before)
	}
	if info, err := os.Stat(j.segments[0].file.Name()); err != nil || info.Size() != before {
		t.Errorf("%d bytes on disk, %v; want %d", info.Size(), err, before)
	}
	if err := errors.Join(j.done(1, 1), j.close()); err != nil {
		t.Error(err)
	}
}

// TestHeadTooLarge checks that a head that no reader accepts is not written.
func TestHeadTooLarge(t *testing.T) {
	r := &record{Kind: recordFile, Key: make([]byte, maxHead)}
	if _, err := r.encodeHead(); err == nil {
		t.Error("encoded a head that a replay takes for a torn one")
	}
}
