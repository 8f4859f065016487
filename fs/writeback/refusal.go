package writeback

// refusal is a change that failed with a background error. The content lacks the change, so that no
// commit may take it to S3 (I7). The error stays until the program has repeated the change or emptied
// the file.
type refusal struct {
	err      error
	off, end int64 // the range of the change
	unheard  bool  // no operation has returned err yet
}

// join adds a change of [off, end) to the missing range. r may be nil. The next attempt of the change
// returns err.
func (r *refusal) join(err error, off, end int64) *refusal {
	if r != nil {
		off, end = min(off, r.off), max(end, r.end)
	}
	return &refusal{err: err, off: off, end: end, unheard: true}
}

// hinders reports whether a change of [off, end) is refused.
func (r *refusal) hinders(off, end int64) bool {
	if r == nil {
		return false
	}
	again := !r.unheard && off <= r.off && end >= r.end
	r.unheard = false
	return !again
}

// cause returns the error, or nil.
func (r *refusal) cause() error {
	if r == nil {
		return nil
	}
	return r.err
}
