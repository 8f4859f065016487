package writeback

import "fmt"

// state says how a file's content relates to S3.
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
	stateDirty                   // S3 does not
	stateCommitting              // a commit carries the content
	stateRewritten               // a commit runs, and there are newer bytes
	stateStale                   // the base was changed by someone else
	stateDiscarded               // unlinked
	stateClosed
)

// event is what moves a file from state to state.
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

// next is the transition function. An error is a mistake in this package, but
// for a write to a file that is stale, which is ErrConflict, or closed.
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

// running tells whether a commit is on its way.
func (s state) running() bool { return s == stateCommitting || s == stateRewritten }

// ends tells whether e is the end of a commit.
func (state) ends(e event) bool { return e == eventDone || e == eventFail || e == eventConflict }

func (s state) String() string {
	return [...]string{"clean", "dirty", "committing", "rewritten", "stale", "discarded", "closed"}[s]
}
