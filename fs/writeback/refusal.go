package writeback

// refusal is a change that failed with an error of the background. The content
// lacks it, so that no commit takes the file to S3, where it would be a blend
// (I7), and the error stays: until the program has made that change again, or
// emptied the file.
type refusal struct {
	err      error
	off, end int64 // the range that it was to change
	unheard  bool  // no operation has returned err yet
}

// join adds a change of [off, end) to what is lacking; r may be nil. The change
// that is made again gets the error of now once more.
func (r *refusal) join(err error, off, end int64) *refusal {
	if r != nil {
		off, end = min(off, r.off), max(end, r.end)
	}
	return &refusal{err: err, off: off, end: end, unheard: true}
}

// hinders tells whether a change of [off, end) is refused.
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
