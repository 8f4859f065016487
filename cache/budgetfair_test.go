package cache

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/s3mount/s3mount/s3/fair"
)

// TestBudgetServesUsersInTurn checks that a small request of one user does not wait for
// all requests of another user.
func TestBudgetServesUsersInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := NewBudget(100)
		b.Force(100)
		var served []string
		acquire := func(u fair.User, n int64) {
			go func() {
				if err := b.Acquire(fair.WithUser(context.Background(), u), n); err != nil {
					t.Error(err)
				}
				served = append(served, fmt.Sprint(u, " ", n))
			}()
			synctest.Wait()
		}
		for range 3 {
			acquire(1, 50)
		}
		acquire(2, 2)
		b.Release(50)
		synctest.Wait()
		b.Release(2)
		synctest.Wait()
		if want := []string{"1 50", "2 2"}; !slices.Equal(served, want) {
			t.Errorf("served are %q, want %q", served, want)
		}
		for range 3 {
			b.Release(50)
			synctest.Wait()
		}
		if len(served) != 4 {
			t.Errorf("served are %q, want all", served)
		}
	})
}
