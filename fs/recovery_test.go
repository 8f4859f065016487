package fs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// recover does what a mount does before its first request.
func (k *kernel) recover() {
	k.t.Helper()
	if err := k.f.recover(context.Background()); err != nil {
		k.t.Fatalf("recover: %v", err)
	}
}

// stateIn makes a mount keep its state in dir.
func stateIn(dir string) func(*Options) { return func(o *Options) { o.StateDir = dir } }

// TestReplayByAnyMount shows that the next mount replays the journal without the
// option that made it, and that it knows all names at once.
func TestReplayByAnyMount(t *testing.T) {
	const files = 40
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
	state := t.TempDir()
	k := remount(t, srv, lingering, stateIn(state))
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("d/old", "old")
	k.drain()
	k.must(k.unlink("d/old"), "unlink", "d/old")
	want := tree{"d/": ""}
	for i := range files {
		name := fmt.Sprintf("d/f%02d", i)
		k.put(name, name)
		want[name] = name
	}
	for name, options := range map[string][]func(*Options){
		"s3":     nil,
		"prefix": {func(o *Options) { o.Prefix = "d/" }},
	} {
		other := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
		for key, data := range objectsOf(srv) {
			other.PutObject(testBucket, key, []byte(data), nil)
		}
		after := remount(t, other, append(options, stateIn(copyState(t, state)))...)
		after.recover()
		dir := "d"
		if name == "prefix" {
			dir = ""
		}
		for i := range files {
			p := strings.TrimPrefix(fmt.Sprintf("%s/f%02d", dir, i), "/")
			if _, st := after.stat(p); st != fuse.OK {
				t.Errorf("%s: stat %s after the replay: %v", name, p, st)
			}
		}
		if got := len(after.ls(dir)); got != files {
			t.Errorf("%s: the next mount lists %d files, want %d", name, got, files)
		}
	}
}

// TestReadOnlyReportsJournal shows that a mount that cannot replay logs what waits
// and how to upload it, shows it in its status, and does not end as if S3 held it.
func TestReadOnlyReportsJournal(t *testing.T) {
	for name, option := range map[string]func(*Options){
		"read-only":      func(o *Options) { o.ReadOnly = true },
		"another prefix": func(o *Options) { o.Prefix = "q/" },
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.NewServer(t, s3test.Options{Buckets: []string{testBucket}})
			state := t.TempDir()
			k := remount(t, srv, lingering, stateIn(state))
			k.must(k.mkdir("p"), "mkdir", "p")
			k.put("p/f", "text")
			var log bytes.Buffer
			after := remount(t, srv, stateIn(copyState(t, state)), option,
				func(o *Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
			after.recover()
			if got := log.String(); !strings.Contains(got, "records=1") || !strings.Contains(got, "source="+testBucket+":p/") {
				t.Errorf("log: %s", got)
			}
			s := newObserved(after.f).stats()
			if len(s.Waiting) != 1 || s.Waiting[0].Records != 1 || s.Waiting[0].Bytes != 4 || s.Waiting[0].Source != testBucket+":p/" {
				t.Errorf("status: %+v", s.Waiting)
			}
			if err := after.f.kept(after.f.stillWaiting()); err == nil {
				t.Error("the end of the mount does not report what waits")
			}
		})
	}
}

// TestReplayThatFails shows that a mount does not begin while S3 does not take the
// journal: its files would appear to be absent.
func TestReplayThatFails(t *testing.T) {
	faults := s3test.NewFaults()
	srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
	state := t.TempDir()
	k := remount(t, srv, lingering, stateIn(state))
	k.put("f", "text")
	after := mountOn(t, srv, impatient(srv), stateIn(copyState(t, state)))
	faults.Add(s3test.Rule{Times: -1, Fault: s3test.SlowDown(0)})
	if err := after.f.recover(t.Context()); !errors.Is(err, s3.ErrTransient) {
		t.Errorf("recover without S3: %v", err)
	}
	faults.Clear()
	after.recover()
	if got := after.cat("f"); got != "text" {
		t.Errorf("content %q after the second replay", got)
	}
}

// TestRefusedCommitEnds shows that a closed file that S3 refuses for good does not
// hold up the drain: it is kept, the status shows it, and the end reports it.
func TestRefusedCommitEnds(t *testing.T) {
	for _, status := range []int{http.StatusBadRequest, http.StatusForbidden, http.StatusPreconditionFailed, http.StatusNotImplemented} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			faults := s3test.NewFaults(s3test.Rule{Times: -1, Fault: s3test.Answer(status, ""), Match: s3test.OnKind("PutObject")})
			srv := s3test.NewServer(t, s3test.Options{Faults: faults, Buckets: []string{testBucket}})
			state := t.TempDir()
			k := remount(t, srv, journaled(state))
			k.put("f", "text")
			k.drain()
			if err := k.f.drainAtEnd(t.Context()); err != nil {
				t.Errorf("last drain: %v", err)
			}
			if _, st := k.lookup("f"); st != fuse.ENOENT {
				t.Errorf("lookup of what S3 refuses: %v, want ENOENT", syscall.Errno(st))
			}
			kept := k.f.kept(nil)
			if kept == nil || kept.Files != 1 || !strings.Contains(kept.Error(), state) {
				t.Fatalf("kept: %v", kept)
			}
			if q := (&Mount{f: k.f}).Queue(); q != (Queue{}) {
				t.Errorf("the journal still holds %+v", q)
			}
			k.unmount()
			k = remount(t, srv, stateIn(state))
			k.recover()
			if s := newObserved(k.f).stats(); s.Kept.Files != 1 || s.Kept.Bytes != 4 || k.f.kept(k.f.stillWaiting()) != nil {
				t.Errorf("the status of the next mount: %+v", s.Kept)
			}
		})
	}
}
