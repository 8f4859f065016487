package soak

import (
	"fmt"
	"math"
	"testing"
)

// access is one operation of a client on a register: it wrote the value or read it.
// Each written value is unique.
type access struct {
	Write bool
	Value string
	Start int64 // on the clock that all clients share
	End   int64
}

// checkRegister returns an error unless the accesses are linearizable: each one
// takes effect at one moment between its start and its end, and each read returns
// the value of the last write before it. The accesses of each client are in order
// and do not overlap.
func checkRegister(initial string, clients [][]access) error {
	c := &registerCheck{clients: clients, seen: map[string]bool{}, at: make([]int, len(clients))}
	if c.search(initial) {
		return nil
	}
	return fmt.Errorf("no order of the accesses explains them; the longest explanation ends before %v", c.blocked)
}

// registerCheck searches for an order of the accesses. Its state is the number of
// accesses of each client that have a place in the order, and the last value.
type registerCheck struct {
	clients [][]access
	at      []int
	seen    map[string]bool // states that lead nowhere
	longest int
	blocked []access // the next accesses after the longest explanation
}

func (c *registerCheck) search(value string) bool {
	state := fmt.Sprint(c.at, value)
	if c.seen[state] {
		return false
	}
	c.seen[state] = true
	next, placed, earliestEnd := c.next()
	if len(next) == 0 {
		return true
	}
	if placed >= c.longest {
		c.longest, c.blocked = placed, next
	}
	for i, accesses := range c.clients {
		if c.at[i] == len(accesses) {
			continue
		}
		a := accesses[c.at[i]]
		if a.Start > earliestEnd || !a.Write && a.Value != value {
			continue
		}
		c.at[i]++
		if c.search(a.Value) {
			return true
		}
		c.at[i]--
	}
	return false
}

// next returns the next access of each client, the number of accesses before
// them, and the earliest of their ends.
func (c *registerCheck) next() (next []access, placed int, earliestEnd int64) {
	earliestEnd = math.MaxInt64
	for i, accesses := range c.clients {
		placed += c.at[i]
		if c.at[i] < len(accesses) {
			a := accesses[c.at[i]]
			next = append(next, a)
			earliestEnd = min(earliestEnd, a.End)
		}
	}
	return next, placed, earliestEnd
}

func TestRegisterCheck(t *testing.T) {
	w := func(v string, start, end int64) access { return access{true, v, start, end} }
	r := func(v string, start, end int64) access { return access{false, v, start, end} }
	for _, tc := range []struct {
		name    string
		clients [][]access
		ok      bool
	}{
		{"empty", nil, true},
		{"initial value", [][]access{{r("0", 1, 2)}}, true},
		{"read after write", [][]access{{w("a", 1, 2)}, {r("a", 3, 4)}}, true},
		{"stale read", [][]access{{w("a", 1, 2)}, {r("0", 3, 4)}}, false},
		{"read of either value during a write", [][]access{{w("a", 1, 9)}, {r("0", 2, 3), r("a", 4, 5)}}, true},
		{"new value and then the old one", [][]access{{w("a", 1, 9)}, {r("a", 2, 3), r("0", 4, 5)}}, false},
		{"two writes in either order", [][]access{{w("a", 1, 5)}, {w("b", 2, 6)}, {r("a", 7, 8)}}, true},
		{"two readers that disagree", [][]access{{w("a", 1, 5), r("a", 7, 8)}, {w("b", 2, 6), r("b", 7, 8)}}, false},
		{"value that nobody wrote", [][]access{{r("x", 1, 2)}}, false},
		{"lost write", [][]access{{w("a", 1, 2), w("b", 3, 4)}, {r("b", 5, 6), r("a", 7, 8)}}, false},
	} {
		if err := checkRegister("0", tc.clients); (err == nil) != tc.ok {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
}
