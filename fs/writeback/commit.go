package writeback

import (
	"context"
	"errors"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/fair"
)

// run is one running commit. The content of its snapshot does not change. The file's mu guards the
// fields, except for v and err, which are set before done is closed.
type run struct {
	key       string
	object    s3.ObjectOptions
	exclusive bool
	snap      *snapshot
	stream    *stream             // the stream whose parts can be used; nil: none
	fresh     map[int]*streamPart // the parts that hold the snapshot's bytes
	streamed  int64               // the end of the parts that the stream has started to send

	cancel  context.CancelCauseFunc
	stopped error // the cause for which this package ended it before the request that makes the object
	final   bool  // the request that makes the object may have been sent
	waiters int   // callers that report err

	done chan struct{}
	v    Version
	err  error
}

// errDiscarded ends the commit of a file that was unlinked.
var errDiscarded = errors.New("the file was discarded")

// size returns the size of the object that r makes.
func (r *run) size() int64 { return r.snap.end }

// stop ends r with err, unless the request that makes the object may have been sent. The
// caller holds the file's mu.
func (r *run) stop(err error) {
	if r != nil && !r.final && r.stopped == nil {
		r.stopped = err
		r.cancel(err)
	}
}

// Commit returns when S3 has the content that the file had at the call (I4, P1). It sends no
// request if S3 has it already. Concurrent Commits share one upload. If a truncation
// interrupts the upload, Commit writes the content after the truncation. If ctx ends, the
// upload continues, and the next write or commit reports its error (I5). Commit returns a
// background error first, then ErrInterrupted, ErrConflict, ErrTooLarge or an error of s3.
// After every error but ErrConflict the file keeps the bytes, and the next Commit tries again.
// Commit of a discarded file does nothing.
func (f *File) Commit(ctx context.Context) (Version, error) { return f.commit(ctx, true) }

// commit implements Commit. If yields is set, Interrupt ends it.
func (f *File) commit(ctx context.Context, yields bool) (Version, error) {
	for {
		v, r, adopt, err := f.join(yields)
		if r == nil || err != nil {
			return v, err
		}
		select {
		case <-r.done:
		case <-ctx.Done():
			if f.leave(r, adopt) {
				return Version{}, ctx.Err()
			}
			<-r.done
		}
		again := errors.Is(r.err, errSuperseded) || !yields && errors.Is(r.err, ErrInterrupted)
		if adopt && !again {
			return r.v, r.err
		}
	}
}

// join returns the commit that a caller of Commit has to wait for. adopt reports that r carries
// all present content, so that its outcome is the outcome of the caller.
func (f *File) join(yields bool) (v Version, r *run, adopt bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.takeErr(); err != nil {
		return v, nil, false, err
	}
	switch f.state {
	case stateClean:
		f.baseUnseen = false
		return f.base.v, nil, false, nil
	case stateDiscarded:
		return v, nil, false, nil
	case stateStale:
		return v, nil, false, f.staleness()
	case stateClosed:
		return v, nil, false, ErrClosed
	case stateDirty:
		if err := f.refusal.cause(); err != nil {
			return v, nil, false, err
		}
		if yields && f.interrupts > 0 {
			return v, nil, false, ErrInterrupted
		}
		r = f.start()
	case stateCommitting, stateRewritten:
		r = f.run
	}
	adopt = r.snap.seq == f.seq
	if adopt {
		r.waiters++
	}
	return v, r, adopt, nil
}

// leave removes a waiter whose context ended from r. It returns false if r has ended in the
// meantime. The waiter must then report the outcome of r.
func (f *File) leave(r *run, adopt bool) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !adopt {
		return true
	}
	if f.run != r {
		return false
	}
	r.waiters--
	return true
}

// start starts a commit of the present content. The caller holds mu.
func (f *File) start() *run {
	f.step(eventBegin)
	f.endLinger()
	f.minSize = f.size
	r := &run{key: f.key, object: f.object, exclusive: f.exclusive,
		snap: f.snapshot(0, f.size), done: make(chan struct{})}
	if f.stream != nil && !f.streams() {
		f.abandon()
	}
	if r.stream = f.stream; r.stream == nil {
		f.sent.Store(0)
	} else {
		r.fresh, r.streamed = map[int]*streamPart{}, r.stream.next
		for _, p := range r.stream.parts {
			if !p.outdated {
				r.fresh[p.number] = p
			}
		}
	}
	ctx, cancel := context.WithCancelCause(fair.WithUser(f.m.ctx, f.user))
	r.cancel = cancel
	f.run = r
	f.m.background(func() {
		defer cancel(nil)
		err := f.m.ready(ctx, r.key)
		var v Version
		if err == nil {
			f.recordCommit(ctx, r)
			v, err = f.upload(ctx, r)
		}
		if errors.Is(err, ErrConflict) {
			v, err = f.adoptOrResolve(ctx, r, err)
		} else if refusedForGood(err) {
			err = f.giveUp(r, err)
		}
		f.finish(r, v, err)
	})
	return r
}

// streams reports whether the stream still leads to the file's content. It does not if a
// truncation has made the file short enough for one PUT, or has cut the copied parts.
func (f *File) streams() bool {
	s := f.stream
	if s.base == nil {
		return !f.copyBase() && f.size > f.m.limits.size(1)
	}
	return f.base == s.base && f.baseLen == s.base.v.Size && f.size > s.base.v.Size
}

// ready calls Options.Ready, if it is set.
func (m *Manager) ready(ctx context.Context, key string) error {
	if m.o.Ready == nil {
		return nil
	}
	return m.o.Ready(ctx, key)
}

// finish ends a commit. Its content becomes clean, except for later writes (I6).
func (f *File) finish(r *run, v Version, err error) {
	var next *base
	if err == nil {
		f.keepClean(r, v)
		next = &base{v: v, r: f.m.o.OpenBase(v), owned: true, refs: 1}
		f.m.commits.Add(1)
	}
	f.mu.Lock()
	f.run = nil
	done := []func(){r.snap.release()}
	switch {
	case err == nil:
		f.savedSeq = r.snap.seq
		f.consume(r)
		done = append(done, f.adopt(r, next))
	case f.state == stateStale:
		f.abandon()
	default:
		if r.stopped != nil && f.state.running() {
			err = r.stopped
		}
		f.step(eventFail)
		f.dropUseless()
	}
	if err != nil && err != r.stopped && r.waiters == 0 && f.state != stateDiscarded {
		f.err = err
	}
	r.v, r.err = v, err
	f.mu.Unlock()
	for _, d := range done {
		d()
	}
	if err == nil {
		f.safe(r.snap.seq)
		f.endReplaced()
	}
	close(r.done)
	f.m.spool.trim() // freeing a GiB takes 0.1 to 0.3 s, so do it without the lock
}

// keepClean passes the bytes of a small new object to Options.Keep. Content that is built on a
// base is read from the base where it is unchanged. The bytes of a replay are not kept: the
// first open then fetches the object, and with it the attributes that nobody knows yet.
func (f *File) keepClean(r *run, v Version) {
	if f.m.o.Keep != nil && !f.acknowledged && r.snap.base == nil && v.Size > 0 && v.Size <= cache.SmallObject {
		f.m.o.Keep(v, r.snap.body(context.Background(), 0, v.Size))
	}
}

// consume forgets the stream whose upload became the object.
func (f *File) consume(r *run) {
	if s := r.stream; s != nil && f.stream == s {
		s.cancel()
		f.stream = nil
	}
}

// adopt makes the version that r has written the base.
func (f *File) adopt(r *run, next *base) (done func()) {
	if f.state == stateDiscarded { // its content stays unchanged, over the old base
		f.madeLast = next.v.ETag
		return next.drop()
	}
	f.step(eventDone)
	done = f.rebase(next, min(r.size(), f.minSize))
	f.dropClean(r.snap.seq)
	f.exclusive, f.outcomeUnknown, f.baseUnseen, f.attempts = false, false, r.waiters == 0, nil
	return done
}

// rebase sets the base to b, of which n bytes are content.
func (f *File) rebase(b *base, n int64) func() {
	old := f.base
	f.base, f.baseLen = b, n
	return old.drop()
}

// dropClean removes the extents that were not written after seq (I6).
func (f *File) dropClean(seq uint64) {
	var clean []span
	for e := range f.ext.in(0, f.size) {
		if e.seq > seq {
			continue
		}
		if n := len(clean); n > 0 && clean[n-1].end == e.off {
			clean[n-1].end = e.end()
		} else {
			clean = append(clean, span{e.off, e.end()})
		}
	}
	for _, c := range clean {
		f.cut(c.off, c.end)
	}
}

// enter records that the request that makes the object starts. From now on stop and discard
// wait for its answer, because S3 may execute it even if it is cancelled.
func (f *File) enter(r *run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == stateDiscarded {
		return errDiscarded
	}
	if r.stopped != nil {
		return r.stopped
	}
	r.final, f.outcomeUnknown = true, true
	return nil
}
