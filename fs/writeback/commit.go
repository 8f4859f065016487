package writeback

import (
	"context"
	"errors"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// run is one commit on its way. What it writes does not change; the rest is
// guarded by the file's mu, but for v and err, which are set before done is closed.
type run struct {
	key       string
	object    s3.ObjectOptions
	exclusive bool
	snap      *snapshot
	stream    *stream             // whose parts can be used; nil: none
	fresh     map[int]*streamPart // those that hold the snapshot's bytes
	streamed  int64               // the end of the parts that the stream has begun to send

	cancel  context.CancelCauseFunc
	stopped error // why this package ended it before the request that makes the object; nil: it did not
	final   bool  // the request that makes the object may be on its way
	waiters int   // that will report err

	done chan struct{}
	v    Version
	err  error
}

// errDiscarded ends the commit of a file that was unlinked.
var errDiscarded = errors.New("file was discarded")

// size returns the size of the object that r makes.
func (r *run) size() int64 { return r.snap.end }

// stop ends r because of err, unless the request that makes the object may be on
// its way. The caller holds the file's mu.
func (r *run) stop(err error) {
	if r != nil && !r.final && r.stopped == nil {
		r.stopped = err
		r.cancel(err)
	}
}

// Commit returns when S3 holds the content that the file had at the call (I4,
// P1), without a request if it does already. If the file becomes shorter
// meanwhile, the content after that counts. Commits at the same time share
// one upload. If ctx ends, the upload goes on, and its error is reported by the
// next write or commit (I5). Errors are those of the background first, then
// ErrInterrupted, ErrConflict, ErrTooLarge and those of s3; after any but
// ErrConflict the bytes are still here and the next Commit tries again. A
// discarded file has nothing to commit.
func (f *File) Commit(ctx context.Context) (Version, error) { return f.commit(ctx, true) }

// commit is Commit, which an Interrupt ends if yields is set.
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

// join finds out what a Commit has to wait for. adopt tells that r carries all
// that is there now, so that its outcome is the caller's.
func (f *File) join(yields bool) (v Version, r *run, adopt bool, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.takeErr(); err != nil {
		return v, nil, false, err
	}
	switch f.state {
	case stateClean:
		f.unseen = false
		return f.base.v, nil, false, nil
	case stateDiscarded:
		return v, nil, false, nil
	case stateStale:
		return v, nil, false, f.staleness()
	case stateClosed:
		return v, nil, false, ErrClosed
	case stateDirty:
		if err := f.torn.cause(); err != nil {
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

// leave takes a waiter whose context ended away from r. It returns false when r
// has ended meanwhile: then its outcome must be reported.
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

// start begins a commit of the content as it is now; the caller holds mu.
func (f *File) start() *run {
	f.step(eventBegin)
	f.endLinger()
	f.low = f.size
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
			if !p.stale {
				r.fresh[p.number] = p
			}
		}
	}
	ctx, cancel := context.WithCancelCause(cache.WithUser(f.m.ctx, f.user))
	r.cancel = cancel
	f.run = r
	f.m.background(func() {
		defer cancel(nil)
		err := f.m.ready(ctx, r.key)
		var v Version
		if err == nil {
			v, err = f.upload(ctx, r)
		}
		if errors.Is(err, ErrConflict) {
			v, err = f.meet(ctx, r, err)
		} else if refusedForGood(err) {
			err = f.giveUp(r, err)
		}
		f.finish(r, v, err)
	})
	return r
}

// streams tells whether the stream still leads to the file's content: not when
// it was truncated, to what one PUT does or into what is copied.
func (f *File) streams() bool {
	s := f.stream
	if s.base == nil {
		return !f.copyBase() && f.size > f.m.limits.size(1)
	}
	return f.base == s.base && f.baseLen == s.base.v.Size && f.size > s.base.v.Size
}

// ready waits for what Options.Ready waits for.
func (m *Manager) ready(ctx context.Context, key string) error {
	if m.o.Ready == nil {
		return nil
	}
	return m.o.Ready(ctx, key)
}

// finish ends a commit: what it carried turns clean, but for what was written
// since (I6).
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
		f.saved = r.snap.seq
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
	f.m.spool.trim() // a GiB takes 0.1 to 0.3 s, for which nobody has to wait
}

// keepClean hands the bytes of a small object that r has made to those who will
// read it. What is built on a base is read from that one as far as it is old.
func (f *File) keepClean(r *run, v Version) {
	if f.m.o.Keep != nil && r.snap.base == nil && v.Size > 0 && v.Size <= cache.SmallObject {
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

// adopt makes what r has written the base.
func (f *File) adopt(r *run, next *base) (done func()) {
	if f.state == stateDiscarded { // its content stays what it is, over the old base
		return next.drop()
	}
	f.step(eventDone)
	done = f.rebase(next, min(r.size(), f.low))
	f.dropClean(r.snap.seq)
	f.exclusive, f.doubt, f.unseen, f.tried = false, false, r.waiters == 0, nil
	return done
}

// rebase makes b the base of which n bytes are content.
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

// enter marks that the request that makes the object starts. From here on stop
// and a discard wait for the answer instead of ending the request, which may
// have been executed already.
func (f *File) enter(r *run) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == stateDiscarded {
		return errDiscarded
	}
	if r.stopped != nil {
		return r.stopped
	}
	r.final, f.doubt = true, true
	return nil
}
