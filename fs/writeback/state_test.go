package writeback

import (
	"errors"
	"testing"
)

// TestTransitions lists the allowed transitions. All others must fail.
func TestTransitions(t *testing.T) {
	possible := map[state]map[event]state{
		stateClean: {eventWrite: stateDirty, eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateDirty: {eventWrite: stateDirty, eventBegin: stateCommitting, eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateCommitting: {eventWrite: stateRewritten, eventDone: stateClean, eventFail: stateDirty,
			eventConflict: stateStale, eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateRewritten: {eventWrite: stateRewritten, eventDone: stateDirty, eventFail: stateDirty,
			eventConflict: stateStale, eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateStale: {eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateDiscarded: {eventWrite: stateDiscarded, eventDone: stateDiscarded, eventFail: stateDiscarded,
			eventConflict: stateDiscarded, eventDiscard: stateDiscarded, eventClose: stateClosed},
		stateClosed: {},
	}
	for s := stateClean; s <= stateClosed; s++ {
		for e := eventWrite; e <= eventClose; e++ {
			want, ok := possible[s][e]
			got, err := s.next(e)
			switch {
			case ok != (err == nil):
				t.Errorf("%v by event %d: %v", s, e, err)
			case ok && got != want:
				t.Errorf("%v by event %d: %v, want %v", s, e, got, want)
			case !ok && got != s:
				t.Errorf("%v moved to %v by a refused event %d", s, got, e)
			}
		}
	}
	if _, err := stateStale.next(eventWrite); !errors.Is(err, ErrConflict) {
		t.Errorf("write to a stale file: %v", err)
	}
	if _, err := stateClosed.next(eventWrite); !errors.Is(err, ErrClosed) {
		t.Errorf("write to a closed file: %v", err)
	}
}
