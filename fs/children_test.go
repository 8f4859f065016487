package fs

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// TestChildren makes random changes to a set of inodes and to a map, which must agree.
func TestChildren(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	for range 100 {
		set, want := &children{}, map[string]*inode{}
		names := 1 + r.IntN(200)
		for range 1000 {
			name := fmt.Sprint(r.IntN(names))
			if r.IntN(5) < 2 {
				set.remove(name)
				delete(want, name)
			} else {
				n := &inode{name: name}
				set.put(n)
				want[name] = n
			}
			if got := set.get(name); got != want[name] || set.len() != len(want) {
				t.Fatalf("%q is %p of %d, want %p of %d", name, got, set.len(), want[name], len(want))
			}
		}
		found := 0
		for n := range set.all() {
			if found++; want[n.name] != n {
				t.Fatalf("%q is in the set, and must not be", n.name)
			}
		}
		for name, n := range want {
			if set.get(name) != n {
				t.Fatalf("%q is not found", name)
			}
		}
		if found != len(want) {
			t.Fatalf("%d inodes are listed, want %d", found, len(want))
		}
	}
}
