package fair

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
)

// TestSlotsServeUsersInTurn checks the order in which waiters get the only slot. Each
// letter of a line is a waiter of a user.
func TestSlotsServeUsersInTurn(t *testing.T) {
	for _, c := range []struct{ come, served string }{
		{"aaaa", "aaaa"},
		{"aaaab", "abaaa"},
		{"aaabbb", "ababab"},
		{"aaabcb", "abcaba"},
		{"", ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := NewSlots(1)
			if err := s.Acquire(context.Background()); err != nil {
				t.Fatal(err)
			}
			served := make(chan rune, len(c.come))
			for _, u := range c.come {
				go func() {
					if err := s.Acquire(WithUser(context.Background(), User(u))); err != nil {
						t.Error(err)
					}
					served <- u
					s.Release()
				}()
				synctest.Wait() // they come in this order
			}
			s.Release()
			synctest.Wait()
			close(served)
			var got strings.Builder
			for u := range served {
				got.WriteRune(u)
			}
			if got.String() != c.served {
				t.Errorf("%q are served as %q, want %q", c.come, got.String(), c.served)
			}
		})
	}
}

// TestSlotsBound checks that no more slots are taken than there are, and that a waiter
// whose context ended takes none.
func TestSlotsBound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewSlots(2)
		taken := 0
		for range 5 {
			go func() {
				if s.Acquire(t.Context()) == nil {
					taken++
				}
			}()
			synctest.Wait()
		}
		if taken != 2 {
			t.Errorf("%d slots are taken, want 2", taken)
		}
		why := errors.New("why")
		ctx, cancel := context.WithCancelCause(context.Background())
		gone := make(chan error)
		go func() { gone <- s.Acquire(WithUser(ctx, 7)) }()
		synctest.Wait()
		cancel(why)
		if err := <-gone; !errors.Is(err, why) {
			t.Errorf("a wait that was cancelled returns %v, want %v", err, why)
		}
		for range 5 {
			s.Release()
			synctest.Wait()
		}
		if taken != 5 || s.free != 2 || s.queue.First() != nil || len(s.queue.lines) != 0 {
			t.Errorf("at the end %d were served, %d slots are free, %d users wait", taken, s.free, len(s.queue.lines))
		}
	})
}
