package soak

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	// shortShared is the number of rounds in make test; a round takes a second.
	shortShared = 3
	// clientOperations is the number of operations of each client in a round.
	clientOperations = 40
	// orderSteps is the number of steps of the producer in a round.
	orderSteps = 8
	// cachesNames is the mount that has the default of --metadata-ttl. It drops its
	// names before each round.
	cachesNames = 2
)

// TestShared lets clients on two and three mounts of one bucket use the same files,
// and checks their histories (P2, P3, P5, and the order in P1).
func TestShared(t *testing.T) {
	harness.Run(t, harness.Config{Timeout: fullTime(t) + 4*time.Minute}, func(t *testing.T, w *harness.World) {
		seed := seedOf(t)
		s := &sharing{w: w, rand: rand.New(rand.NewPCG(seed, 5)), row: newRow(t, "two and three mounts", seed), bucket: w.Bucket(t)}
		for i := range 3 {
			args := []string{"--metadata-ttl", "0s"}
			if i == cachesNames {
				args = nil
			}
			proxy := w.Proxy(t, harness.Shape{Latency: time.Duration(i+1) * time.Millisecond})
			s.proxies = append(s.proxies, proxy)
			s.mounts = append(s.mounts, w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: s.bucket.Bucket, Args: args}))
		}
		rounds(t, shortShared, func(i int) { s.round(t, i) })
		for _, m := range s.mounts {
			m.Unmount(t)
		}
	})
}

// sharing is the state of TestShared.
type sharing struct {
	w       *harness.World
	rand    *rand.Rand
	row     *row
	bucket  *harness.Referee
	mounts  []*harness.Mount
	proxies []*harness.Proxy
}

// round lets two or three clients work in a new directory, and checks everything.
func (s *sharing) round(t *testing.T, i int) {
	s.row.Rounds++
	dir, logs := fmt.Sprintf("round-%d", i), s.w.Dir(t, "histories")
	ctx := s.w.Context(t)
	files := map[string]string{counter: "start\n", lockedName: "0"}
	for r := range registers {
		files[fmt.Sprintf("register-%d", r)] = content("initial", 10)
	}
	for name, body := range files {
		if err := s.bucket.Put(ctx, dir+"/"+name, []byte(body), nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := unix.Setxattr(s.mounts[cachesNames].Dir, "user.s3mount.invalidate", []byte("1"), 0); err != nil {
		t.Fatal(err)
	}
	mounts := s.mounts[:2+i%2]
	var ps []*harness.Process
	for c, m := range mounts {
		ps = append(ps, s.start(t, "client", m.Path(dir), filepath.Join(logs, strconv.Itoa(c)), fmt.Sprintf("c%d", c),
			fmt.Sprint(s.rand.Uint64N(1e6)), strconv.Itoa(clientOperations)))
	}
	waitAll(ps)
	wantNoFailure(t, ps)
	var histories [][]event
	for c := range mounts {
		histories = append(histories, s.history(t, filepath.Join(logs, strconv.Itoa(c))))
	}
	s.checkRegisters(t, histories)
	s.checkCounter(t, dir, histories)
	s.checkLock(t, dir, histories)
	s.checkExclusives(t, dir, histories)
	s.order(t, dir)
}

func (s *sharing) start(t *testing.T, op string, args ...string) *harness.Process {
	t.Helper()
	cmd := s.w.OpCommand(op, args...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	p, err := harness.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// history reads the history of a client. Errors that no promise allows, and
// contents that no client wrote, are violations.
func (s *sharing) history(t *testing.T, file string) []event {
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var out []event
	for d := json.NewDecoder(f); d.More(); {
		var e event
		if err := d.Decode(&e); err != nil {
			t.Fatal(err)
		}
		switch {
		case e.Wrong != "":
			s.row.violate(t, "%+v", e)
		case e.Errno == "":
			s.row.Operations++
		case !e.mayFail():
			s.row.violate(t, "this must not fail: %+v", e)
		}
		out = append(out, e)
	}
	return out
}

// mayFail reports whether the error is one that the promises allow.
func (e event) mayFail() bool {
	switch e.Kind {
	case kindRegister:
		return !e.Write && e.Errno == "ESTALE"
	case kindAppend:
		return e.Errno == "ESTALE"
	}
	return e.Errno == "EEXIST" || e.Errno == "ESTALE"
}

func (s *sharing) checkRegisters(t *testing.T, histories [][]event) {
	for r := range registers {
		name := fmt.Sprintf("register-%d", r)
		clients := make([][]access, len(histories))
		for c, h := range histories {
			for _, e := range h {
				if e.Kind == kindRegister && e.Name == name && e.Errno == "" && e.Wrong == "" {
					clients[c] = append(clients[c], e.access)
				}
			}
		}
		if err := checkRegister("initial", clients); err != nil {
			s.row.violate(t, "%s: %v; the histories are %+v", name, err, clients)
			continue
		}
		s.row.Histories++
	}
}

// checkCounter checks that each acknowledged append is in the file exactly once,
// that no refused one is there, and that they are in order.
func (s *sharing) checkCounter(t *testing.T, dir string, histories [][]event) {
	lines := strings.Fields(s.object(t, dir+"/"+counter))
	before := s.row.Violations
	var done []event
	for _, e := range slices.Concat(histories...) {
		if e.Kind != kindAppend {
			continue
		}
		n := 0
		for _, l := range lines {
			if l == e.Value {
				n++
			}
		}
		switch {
		case e.Errno == "" && n != 1:
			s.row.violate(t, "the acknowledged append %s is there %d times in %q", e.Value, n, lines)
		case e.Errno != "" && n != 0:
			s.row.violate(t, "the refused append %s (%s) is in the file", e.Value, e.Errno)
		case e.Errno == "":
			done = append(done, e)
		}
	}
	if len(lines) == 0 || lines[0] != "start" || len(lines) != len(done)+1 {
		s.row.violate(t, "the file has other lines than those of the clients: %q", lines)
	}
	for _, a := range done {
		for _, b := range done {
			if a.End < b.Start && slices.Index(lines, a.Value) > slices.Index(lines, b.Value) {
				s.row.violate(t, "the append %s ended before %s began and comes after it", a.Value, b.Value)
			}
		}
	}
	s.verified(before)
}

// checkLock checks that no two clients had the lock at one time, and that the
// number which it protects has counted all of them.
func (s *sharing) checkLock(t *testing.T, dir string, histories [][]event) {
	before := s.row.Violations
	var held []event
	for _, e := range slices.Concat(histories...) {
		if e.Kind == kindLock && e.Errno == "" {
			held = append(held, e)
		}
	}
	slices.SortFunc(held, func(a, b event) int { return int(a.Start - b.Start) })
	for i := 1; i < len(held); i++ {
		if held[i].Start < held[i-1].End {
			s.row.violate(t, "two clients had the lock: %+v and %+v", held[i-1], held[i])
		}
	}
	if got := s.object(t, dir+"/"+lockedName); got != strconv.Itoa(len(held)) {
		s.row.violate(t, "the lock was taken %d times and the number is %s", len(held), got)
	}
	if s.row.Violations > before {
		for i, p := range s.proxies {
			t.Logf("requests of mount %d:\n%s", i, strings.Join(p.Past(dir+"/"+lockName), "\n"))
		}
	}
	s.verified(before)
}

// checkExclusives checks that exactly one client has created each name, and that the
// file has the content of this client.
func (s *sharing) checkExclusives(t *testing.T, dir string, histories [][]event) {
	before := s.row.Violations
	winners := map[string][]string{}
	for _, e := range slices.Concat(histories...) {
		if e.Kind == kindExclusive && e.Write {
			winners[e.Name] = append(winners[e.Name], e.Value)
		}
	}
	for i := range exclusives {
		name := fmt.Sprintf("exclusive-%d", i)
		if got := s.object(t, dir+"/"+name); len(winners[name]) != 1 || winners[name][0] != got {
			s.row.violate(t, "%s holds %q, its creators are %q", name, got, winners[name])
		}
	}
	s.verified(before)
}

// order lets one client look at the changes of another.
func (s *sharing) order(t *testing.T, dir string) {
	first := s.rand.IntN(2) // The mounts without a cache of names.
	var ps []*harness.Process
	ps = append(ps, s.start(t, "observe", s.mounts[1-first].Path(dir), strconv.Itoa(orderSteps)))
	ps = append(ps, s.start(t, "produce", s.mounts[first].Path(dir), strconv.Itoa(orderSteps)))
	waitAll(ps)
	for _, p := range ps {
		if err := p.Err(); err != nil {
			s.row.violate(t, "the order of changes, seen from another mount: %v", err)
			return
		}
	}
	s.row.Operations += 5 * orderSteps
	s.row.Histories++
}

func (s *sharing) object(t *testing.T, key string) string {
	t.Helper()
	b, err := s.bucket.Get(s.w.Context(t), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// verified counts a history if there were no violations since before.
func (s *sharing) verified(before int) {
	if s.row.Violations == before {
		s.row.Histories++
	}
}
