package soak

import (
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	// shortNetworks is the number of rounds per durability in make test; a round
	// takes a second.
	shortNetworks = 3
	// networkOperations is the number of operations of each mutator in a round.
	networkOperations = 30
)

// TestNetwork injects faults between mounts and the server, and compares the trees
// with the recorded histories (P1, P4, P10).
func TestNetwork(t *testing.T) {
	for _, durability := range []string{"s3", "journal"} {
		t.Run(durability, func(t *testing.T) {
			harness.Run(t, harness.Config{Timeout: fullTime(t) + 4*time.Minute}, func(t *testing.T, w *harness.World) {
				seed := seedOf(t)
				n := &network{w: w, rand: rand.New(rand.NewPCG(seed, 6)), row: newRow(t, "network faults, durability "+durability, seed),
					proxy: w.Proxy(t, harness.Shape{Latency: time.Millisecond})}
				n.mount = w.Mount(t, harness.MountOptions{Endpoint: n.proxy.URL, Source: w.Bucket(t).Bucket,
					Args: []string{"--durability", durability, "--deadline", "10s"}})
				n.owners = newOwners(t, w, n.mount, n.proxy, mutators)
				rounds(t, shortNetworks, func(int) { n.round(t) })
				n.row.Faults = n.proxy.Struck()
				n.mount.Unmount(t)
			})
		})
	}
}

// network is the state of TestNetwork.
type network struct {
	w      *harness.World
	rand   *rand.Rand
	row    *row
	proxy  *harness.Proxy
	mount  *harness.Mount
	owners []*owner
}

// round lets the mutators work while faults happen, and compares the trees after a
// remount, first with flipped bits in all bodies.
func (n *network) round(t *testing.T) {
	n.row.Rounds++
	n.proxy.Reset()
	for range 2 + n.rand.IntN(4) {
		n.proxy.Inject(n.fault())
	}
	var ps []*harness.Process
	for _, o := range n.owners {
		ps = append(ps, o.start(t, n.w, n.mount, n.rand, networkOperations, "small"))
	}
	waitAll(ps)
	wantNoFailure(t, ps)
	n.proxy.Heal()
	failed := false
	for _, o := range n.owners {
		o.learn(t, n.row, "EIO")
		failed = failed || len(o.pending) > 0
	}
	if failed { // The mount may report at the unmount that it has kept bytes.
		n.mount.Kill(t)
		n.row.Kills++
		n.mount = n.mount.Again(t)
	} else {
		n.mount = n.mount.Remount(t)
	}
	n.readFlipped(t)
	for _, o := range n.owners {
		o.verify(t, n.row, n.mount)
	}
}

// fault returns a fault that strikes a few requests.
func (n *network) fault() harness.Fault {
	faults := []harness.Fault{
		{Status: 503, Code: "SlowDown"},
		{Status: 500, Code: "InternalError"},
		{Drop: true},
		{DropReply: true, Match: notCreate},
		{CutBody: 1000},
		{Rate: 300_000},
		{Delay: 50 * time.Millisecond},
	}
	f := faults[n.rand.IntN(len(faults))]
	f.Skip, f.Times = n.rand.IntN(30), 1+n.rand.IntN(4)
	return f
}

// readFlipped reads all files while bits of the bodies are wrong. Each read returns
// the right bytes or EIO.
func (n *network) readFlipped(t *testing.T) {
	n.proxy.Inject(harness.Fault{Flip: true, Skip: n.rand.IntN(3), Times: n.rand.IntN(6),
		Match: func(r *harness.Request) bool { return r.Kind == harness.Get }})
	defer n.proxy.Heal()
	for _, o := range n.owners {
		if len(o.pending) > 0 { // The bytes of a file are not known.
			continue
		}
		for _, name := range o.known.files() {
			got, err := readNode(n.mount.Path(o.top, name))
			if errors.Is(err, syscall.EIO) {
				continue
			}
			if err != nil {
				n.row.violate(t, "read %s with flipped bits: %v", name, err)
				return
			}
			if d := differences(tree{name: got}, tree{name: o.known[name]}); len(d) > 0 {
				n.row.violate(t, "read with flipped bits: %s", d[0])
				return
			}
		}
	}
}
