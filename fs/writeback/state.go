package writeback

import "fmt"

// state describes how a file's content relates to S3.
//
//	               write                 begin
//	      ┌─────┐ ─────────▶ ┌───────┐ ─────────▶ ┌────────────┐
//	      │clean│            │ dirty │            │ committing │
//	      └─────┘            └───────┘ ◀──fail─── └────────────┘
//	         ▲                   ▲                   │      │ write
//	         └───────────────────│───────done────────┘      ▼
//	                             │                    ┌───────────┐
//	                             └────done, fail───── │ rewritten │
//	                                                  └───────────┘
//
//	committing, rewritten ──conflict──▶ stale      (no commit can succeed any more)
//	any but closed        ──discard───▶ discarded  (no name any more: memory only)
//	any                   ──close─────▶ closed
type state uint8

const (
	stateClean      state = iota // S3 holds the content
	stateDirty                   // S3 lacks the content
	stateCommitting              // a commit carries the content
	stateRewritten               // a commit runs, and there are newer bytes
	stateStale                   // another client has changed the base
	stateDiscarded               // unlinked
	stateClosed
)

// event is a cause of a state transition.
type event uint8

const (
	eventWrite event = iota
	eventBegin
	eventDone
	eventFail
	eventConflict
	eventDiscard
	eventClose
)

// next returns the state after an event. A write to a stale file returns ErrConflict, and a write
// to a closed file ErrClosed. Any other error is a bug of this package.
func (s state) next(e event) (state, error) {
	switch {
	case s == stateClosed:
		return s, ErrClosed
	case e == eventClose:
		return stateClosed, nil
	case e == eventDiscard || s == stateDiscarded && (e == eventWrite || s.ends(e)):
		return stateDiscarded, nil
	}
	switch e {
	case eventWrite:
		switch s {
		case stateClean, stateDirty:
			return stateDirty, nil
		case stateCommitting, stateRewritten:
			return stateRewritten, nil
		case stateStale:
			return s, ErrConflict
		}
	case eventBegin:
		if s == stateDirty {
			return stateCommitting, nil
		}
	case eventDone:
		switch s {
		case stateCommitting:
			return stateClean, nil
		case stateRewritten:
			return stateDirty, nil
		}
	case eventFail:
		if s.running() {
			return stateDirty, nil
		}
	case eventConflict:
		if s.running() {
			return stateStale, nil
		}
	}
	return s, fmt.Errorf("writeback: no transition from %v by event %d", s, e)
}

// running reports whether a commit runs.
func (s state) running() bool { return s == stateCommitting || s == stateRewritten }

// ends reports whether e is the end of a commit.
func (state) ends(e event) bool { return e == eventDone || e == eventFail || e == eventConflict }

func (s state) String() string {
	return [...]string{"clean", "dirty", "committing", "rewritten", "stale", "discarded", "closed"}[s]
}
