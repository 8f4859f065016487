package soak

import (
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// storm injects the faults.
type storm struct {
	t      *testing.T
	w      *harness.World
	rand   *rand.Rand
	server *harness.Server
	proxy  *harness.Proxy
	sides  []*side
	keys   *keys
	count  map[string]int
}

// side is one mount and its workers.
type side struct {
	durability string
	mount      *harness.Mount
	ctl        string
	disk       *disk
	bucket     *harness.Referee
	workers    []*harness.Process
	seeds      []int
	metrics    string // address of the metrics
}

// blow makes things fail until the time is over.
func (s *storm) blow(until time.Time) {
	events := map[string]func(){
		"resets":      func() { s.inject(harness.Fault{Drop: true}) },
		"lost":        func() { s.inject(harness.Fault{DropReply: true, Match: notCreate}) },
		"503":         func() { s.inject(harness.Fault{Status: 503, Code: "SlowDown"}) },
		"500":         func() { s.inject(harness.Fault{Status: 500, Code: "InternalError"}) },
		"cut":         func() { s.inject(harness.Fault{CutBody: 1000}) },
		"delay":       func() { s.inject(harness.Fault{Delay: 300 * time.Millisecond}) },
		"disconnects": s.proxy.CloseConnections,
		"stall":       s.stall,
		"restart":     s.restart,
		"kill":        s.kill,
		"rotation":    func() { s.keys.rotate(s.rand.IntN(2) == 0) },
		"slow disk":   func() { s.strike(slowFile) },
		"full disk":   func() { s.strike(fullFile) },
	}
	// All in turn, in a new order each time: also a short storm has most of them.
	names := slices.Sorted(maps.Keys(events))
	if v := os.Getenv("SOAK_EVENTS"); v != "" {
		names = strings.Split(v, ",")
	}
	turn := s.rand.Perm(len(names))
	for time.Now().Before(until) && !s.t.Failed() {
		if len(turn) == 0 {
			turn = s.rand.Perm(len(names))
		}
		name := names[turn[0]]
		turn = turn[1:]
		events[name]()
		s.count[name]++
		time.Sleep(time.Duration(200+s.rand.IntN(800)) * time.Millisecond) // work in between
		s.proxy.Heal()
		for _, d := range s.sides {
			for _, p := range d.workers {
				select {
				case <-p.Done():
					s.t.Errorf("a worker ended before its time: %v", p.Err())
				default:
				}
			}
		}
	}
}

// strike makes the disk of one side slow or full for a while.
func (s *storm) strike(what string) {
	s.sides[s.rand.IntN(len(s.sides))].disk.be(s.t, what, time.Duration(s.rand.IntN(1500))*time.Millisecond)
}

// notCreate excludes CreateMultipartUpload. If its answer is lost, only a lifecycle
// rule can remove the upload.
func notCreate(r *harness.Request) bool { return r.Kind != harness.Create }

// inject strikes some of the requests that come.
func (s *storm) inject(f harness.Fault) {
	f.Skip, f.Times = s.rand.IntN(10), 1+s.rand.IntN(5)
	s.proxy.Inject(f)
}

// stall stops the server from answering for a while.
func (s *storm) stall() {
	s.server.Pause()
	time.Sleep(time.Duration(s.rand.IntN(1500)) * time.Millisecond)
	s.server.Resume()
}

// restart kills the server and starts it again at the same place.
func (s *storm) restart() {
	addr, data := strings.TrimPrefix(s.server.Endpoint, "http://"), s.server.Data
	s.server.Stop()
	s.server = s.w.Gateway(s.t, harness.ServerOptions{Addr: addr, Data: data, IAM: s.keys.iam})
}

// kill kills a mount during its work and mounts again.
func (s *storm) kill() {
	d := s.sides[s.rand.IntN(len(s.sides))]
	d.mount.Kill(s.t)
	lock, err := os.Open(filepath.Join(d.ctl, lockFile))
	if err != nil {
		s.t.Fatal(err)
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil { // nobody writes below a mount that is away
		s.t.Fatal(err)
	}
	d.mount = d.mount.Again(s.t)
}

// smallDisk is a directory with little space, if this process may mount one.
func smallDisk(t *testing.T, dir, size string) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Log("not root: the disk is never full")
		return dir
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "mode=0700,size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
