//go:build lockorder

package lockorder

import (
	"bytes"
	"fmt"
	"runtime"
	"strconv"
	"sync"
)

// Mutex is a sync.Mutex with the rank R. It panics if a goroutine acquires it out of
// order.
type Mutex[R Rank] struct{ mu sync.Mutex }

// Lock locks m.
func (m *Mutex[R]) Lock() {
	var r R
	acquire(r)
	m.mu.Lock()
}

// Unlock unlocks m.
func (m *Mutex[R]) Unlock() {
	var r R
	release(r)
	m.mu.Unlock()
}

var (
	mu   sync.Mutex
	held = map[uint64][]Rank{} // by goroutine
)

// acquire notes that this goroutine is going to hold a lock.
func acquire(r Rank) {
	id := goroutine()
	mu.Lock()
	defer mu.Unlock()
	for _, h := range held[id] {
		if h.Rank() >= r.Rank() {
			panic(fmt.Sprintf("lock order: %T is acquired while %T is held", r, h))
		}
	}
	held[id] = append(held[id], r)
}

// release notes that this goroutine does not hold a lock any more.
func release(r Rank) {
	id := goroutine()
	mu.Lock()
	defer mu.Unlock()
	locks := held[id]
	for i := len(locks) - 1; i >= 0; i-- {
		if locks[i] == r {
			held[id] = append(locks[:i:i], locks[i+1:]...)
			break
		}
	}
	if len(held[id]) == 0 {
		delete(held, id)
	}
}

// goroutine returns the number of this goroutine, which only its stack trace shows.
func goroutine() uint64 {
	buf := make([]byte, 32)
	buf = buf[:runtime.Stack(buf, false)]
	number, _, _ := bytes.Cut(bytes.TrimPrefix(buf, []byte("goroutine ")), []byte(" "))
	id, err := strconv.ParseUint(string(number), 10, 64)
	if err != nil {
		panic(fmt.Sprintf("lock order: no goroutine in %q", buf))
	}
	return id
}
