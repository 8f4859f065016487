package cache

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// acquire starts an Acquire and returns the channel of its result.
func acquire(ctx context.Context, b *Budget, n int64) chan error {
	done := make(chan error, 1)
	go func() { done <- b.Acquire(ctx, n) }()
	return done
}

// blocked reports whether an Acquire still waits when all goroutines are idle.
func blocked(done chan error) bool {
	synctest.Wait()
	return len(done) == 0
}

func TestBudgetServesInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := context.Background()
		b := NewBudget(100)
		if err := b.Acquire(ctx, 90); err != nil {
			t.Fatal(err)
		}
		big := acquire(ctx, b, 50)
		if !blocked(big) || !b.Waiting() || b.Deficit() != 40 {
			t.Fatalf("waiting %v, deficit %d", b.Waiting(), b.Deficit())
		}
		small := acquire(ctx, b, 5)
		if !blocked(small) {
			t.Error("a small request passed a large one that waits")
		}
		if b.TryAcquire(1) {
			t.Error("TryAcquire passed one that waits")
		}
		b.Release(40)
		if blocked(big) || !blocked(small) {
			t.Error("the first was not served alone")
		}
		b.Release(10)
		if blocked(small) || b.Used() != 95 || b.Waiting() || b.Deficit() != 0 {
			t.Errorf("used %d, waiting %v, deficit %d", b.Used(), b.Waiting(), b.Deficit())
		}
	})
}

func TestBudgetInterrupt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		b.Force(100)
		ctx, cancel := context.WithCancelCause(context.Background())
		first := acquire(ctx, b, 80)
		synctest.Wait()
		second := acquire(context.Background(), b, 20)
		b.Release(20)
		if !blocked(first) || !blocked(second) {
			t.Fatal("served out of order")
		}
		cancel(nil)
		if blocked(first) || !errors.Is(<-first, context.Canceled) {
			t.Error("the interrupt did not end the wait")
		}
		if blocked(second) || <-second != nil || b.Used() != 100 {
			t.Errorf("the one behind was not served; used %d", b.Used())
		}
		if err := b.Acquire(ctx, 1); !errors.Is(err, context.Canceled) {
			t.Errorf("full and interrupted: %v", err)
		}
	})
}

func TestBudgetReclaims(t *testing.T) {
	b := NewBudget(100)
	clean := int64(70)
	b.AddReclaimer(func(n int64) int64 {
		freed := min(n, clean)
		clean -= freed
		b.Release(freed)
		return freed
	})
	b.Force(100)
	if !b.TryAcquire(30) || clean != 40 || b.Used() != 100 {
		t.Errorf("clean %d, used %d", clean, b.Used())
	}
	if b.TryAcquire(41) {
		t.Error("more than could be reclaimed")
	}
	if clean != 0 || b.Used() != 60 {
		t.Errorf("clean %d, used %d", clean, b.Used())
	}
	if !b.TryAcquire(40) || b.TryAcquire(1) {
		t.Error("the limit does not hold")
	}
}

func TestBudgetForceAndOversize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		b.Force(150)
		if b.Used() != 150 || b.Deficit() != 50 {
			t.Errorf("used %d, deficit %d", b.Used(), b.Deficit())
		}
		huge := acquire(context.Background(), b, 1000)
		b.Release(149)
		if !blocked(huge) {
			t.Error("a request beyond the limit was granted beside another")
		}
		b.Release(1)
		if blocked(huge) || b.Used() != 1000 {
			t.Error("a request beyond the limit was not granted alone")
		}
		defer func() {
			if recover() == nil {
				t.Error("releasing too much did not panic")
			}
		}()
		b.Release(1001)
	})
}

// TestBudgetNeverExceeds charges and releases at random from many goroutines.
func TestBudgetNeverExceeds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 1000
		b := NewBudget(limit)
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				rnd := rand.New(rand.NewPCG(7, uint64(i)))
				for range 200 {
					n := 1 + rnd.Int64N(limit/2)
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rnd.IntN(20))*time.Millisecond)
					if b.Acquire(ctx, n) == nil {
						if used := b.Used(); used > limit {
							panic(fmt.Sprintf("%d used of %d", used, limit))
						}
						time.Sleep(time.Duration(rnd.IntN(5)) * time.Millisecond)
						b.Release(n)
					}
					cancel()
				}
			})
		}
		wg.Wait()
		if b.Used() != 0 || b.Waiting() || b.Deficit() != 0 {
			t.Errorf("at the end: used %d, waiting %v, deficit %d", b.Used(), b.Waiting(), b.Deficit())
		}
	})
}

// TestBudgetQueue removes waiters from all places of the queue.
func TestBudgetQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(10)
		b.Force(10)
		var order []int
		var cancels []context.CancelFunc
		var wg sync.WaitGroup
		for i := range 6 {
			ctx, cancel := context.WithCancel(context.Background())
			cancels = append(cancels, cancel)
			wg.Go(func() {
				if b.Acquire(ctx, 10) == nil {
					order = append(order, i)
					b.Release(10)
				}
			})
			synctest.Wait()
		}
		for _, i := range []int{0, 3, 5} {
			cancels[i]()
		}
		synctest.Wait()
		b.Release(10)
		wg.Wait()
		if !slices.Equal(order, []int{1, 2, 4}) {
			t.Errorf("served in order %v", order)
		}
		for _, cancel := range cancels {
			cancel()
		}
	})
}
