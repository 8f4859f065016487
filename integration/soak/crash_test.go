package soak

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	// shortCrashes is the number of rounds per durability in make test; a round
	// takes a second.
	shortCrashes = 5
	// crashOperations is the number of operations of each mutator in a round.
	crashOperations = 40
	// mutators work in parallel on each mount.
	mutators = 2
)

// killed contains the errors of operations on a mount whose process was killed. The kernel
// gives EIO to a program that waits for a page. P13 allows EIO for data that existed only in
// memory.
var killed = []string{"ENOTCONN", "ECONNABORTED", "EIO"}

// TestCrash kills mounts at random requests, also during the replay, and compares
// the tree with the recorded history each time (P1, P5, P10).
func TestCrash(t *testing.T) {
	for _, durability := range []string{"s3", "journal"} {
		t.Run(durability, func(t *testing.T) {
			harness.Run(t, harness.Config{Timeout: fullTime(t) + 4*time.Minute}, func(t *testing.T, w *harness.World) {
				crash(t, w, durability)
			})
		})
	}
}

func crash(t *testing.T, w *harness.World, durability string) {
	seed := seedOf(t)
	rnd := rand.New(rand.NewPCG(seed, 3))
	res := newRow(t, "kill, durability "+durability, seed)
	proxy := w.Proxy(t, harness.Shape{Latency: time.Millisecond})
	bucket := w.Bucket(t)
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket,
		Args: []string{"--durability", durability, "--deadline", "10s"}})
	owners := newOwners(t, w, m, proxy, mutators)
	rounds(t, shortCrashes, func(int) {
		res.Rounds++
		proxy.Reset()
		work(t, w, m, rnd, proxy, owners)
		res.Kills++
		for _, o := range owners {
			o.learn(t, res, killed...)
		}
		for range rnd.IntN(3) {
			m = m.KilledAgain(t, atRequest(proxy, 1+rnd.IntN(8)))
			healed(t, w, proxy)
			res.Kills++
		}
		m = m.Again(t)
		for _, o := range owners {
			o.verify(t, res, m)
		}
	})
	m.Unmount(t)
	m = m.Again(t)
	for _, o := range owners {
		o.verify(t, res, m)
	}
	m.Unmount(t)
}

// work lets the mutators work, and kills the mount at a random request or when
// all mutators have ended.
func work(t *testing.T, w *harness.World, m *harness.Mount, rnd *rand.Rand, proxy *harness.Proxy, owners []*owner) {
	t.Helper()
	at := atRequest(proxy, 1+rnd.IntN(60*len(owners)))
	var ps []*harness.Process
	for _, o := range owners {
		ps = append(ps, o.start(t, w, m, rnd, crashOperations, "large"))
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		waitAll(ps)
	}()
	select {
	case <-at:
	case <-ended:
	}
	m.Kill(t)
	<-ended
	healed(t, w, proxy)
	wantNoFailure(t, ps)
}

// healed ends the faults after a kill, and waits until the server has executed the last
// requests of the killed process. Otherwise the next mount could show the state before
// one of them, and later the state after it.
func healed(t *testing.T, w *harness.World, proxy *harness.Proxy) {
	t.Helper()
	proxy.Heal()
	if err := proxy.AwaitIdle(w.Context(t)); err != nil {
		t.Fatal(err)
	}
}

func waitAll(ps []*harness.Process) {
	for _, p := range ps {
		<-p.Done()
	}
}

func wantNoFailure(t *testing.T, ps []*harness.Process) {
	t.Helper()
	for _, p := range ps {
		if err := p.Err(); err != nil {
			t.Errorf("a worker process failed: %v", err)
		}
	}
}

// atRequest returns a channel that is closed when the n-th request from now
// arrives at the proxy.
func atRequest(proxy *harness.Proxy, n int) <-chan struct{} {
	arrived := make(chan struct{})
	var once sync.Once
	proxy.Inject(harness.Fault{Match: func(*harness.Request) bool {
		if n--; n <= 0 {
			once.Do(func() { close(arrived) })
		}
		return false
	}})
	return arrived
}
