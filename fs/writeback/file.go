package writeback

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/fair"
)

// File is a base object overlaid by extents (I3). Bytes up to the size that neither an extent
// nor the base holds are zeros. All methods are safe for concurrent use. Close must be the last
// call.
type File struct {
	m    *Manager
	turn func() (done func(), ok bool) // OpenInput.Turn

	mu             sync.Mutex
	key            string
	state          state
	object         s3.ObjectOptions // for the next commit
	exclusive      bool             // the first commit must create the object
	replaces       string           // OpenInput.Replaces
	madeLast       string           // the ETag of the object that a commit made although the file was discarded
	base           *base            // nil: none
	baseLen        int64            // bytes of the base that are still content: a truncation cuts them
	size           int64
	minSize        int64  // the smallest size since the running commit began
	seq            uint64 // counts changes; an extent has the seq of its last change
	savedSeq       uint64 // the seq of the last committed content
	ext            extents
	mem            int64     // bytes of pool memory in chunks
	cursor         int64     // the offset at which the spiller continues
	err            error     // a background error that was not reported yet (I5)
	notSaved       bool      // stale, and the content is not in the recovery directory
	keptSeq        uint64    // the seq of the content in the recovery directory; 0: none
	refusal        *refusal  // set while a refused change is missing in the content
	run            *run      // the running commit
	outcomeUnknown bool      // a request that makes the object was sent, and its outcome is not the base
	attempts       []attempt // commits without a known outcome
	baseUnseen     bool      // no Commit has returned the version of the base yet
	stream         *stream   // the upload of a file that is still being written
	staleCause     error     // the cause for which the file is stale, if it is not a conflict
	journal        journaled
	// acknowledged is set by Replay: an earlier mount has acknowledged the content.
	acknowledged bool
	linger       *linger  // delays the commit; nil: no delay
	last         *Version // the version at Close
	snaps        int      // snapshots that are not released
	pins         int      // the sum of all chunks

	interrupts int // Interrupts without a resume

	user fair.User // the user of the last change

	sent atomic.Int64 // bytes of the running upload that requests have read
}

// newFile returns a file that is in m.files already.
func newFile(m *Manager, in OpenInput) *File {
	// The first content counts as a change: seq 0 means no content.
	f := &File{m: m, turn: in.Turn, key: in.Key, object: in.Object, exclusive: in.Exclusive, replaces: in.Replaces, seq: 1}
	if f.turn == nil {
		f.turn = func() (func(), bool) { return func() {}, true }
	}
	if in.Base == nil {
		f.state = stateDirty
		return f
	}
	f.base = &base{v: *in.Base, r: in.Reader, refs: 1}
	f.size, f.baseLen = in.Base.Size, in.Base.Size
	return f
}

// Size returns the size in bytes.
func (f *File) Size() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.size
}

// Dirty reports whether S3 lacks the content. A discarded file is never dirty.
func (f *File) Dirty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == stateDirty || f.state == stateStale || f.state.running()
}

// unsaved returns the number of bytes that S3 does not have, including holes. It is a lower bound
// for a file with holes inside of its base.
func (f *File) unsaved() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.state == stateClean, f.state == stateDiscarded, f.state == stateClosed:
		return 0
	case f.base != nil && f.base.foreign:
		return f.size
	}
	return max(f.ext.total, f.size-f.baseLen)
}

// Committing reports whether there may be an object under the key that is not the base.
func (f *File) Committing() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.run != nil || f.outcomeUnknown
}

// Err returns the background error that no operation has reported yet (I5). The next write or
// commit still reports it.
func (f *File) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Version returns the last committed version or the base, or nil for a new file. It may be called
// after Close.
func (f *File) Version() *Version {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state == stateClosed {
		return f.last
	}
	return f.version()
}

// Saved returns the version of the content, as a Commit that sends nothing does. It returns
// nil if S3 lacks the content.
func (f *File) Saved() *Version {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state != stateClean {
		return nil
	}
	f.baseUnseen = false
	return f.version()
}

// version implements Version. The caller holds mu.
func (f *File) version() *Version {
	if f.base == nil || f.base.foreign {
		return nil
	}
	v := f.base.v
	return &v
}

// Key returns the key that a commit writes.
func (f *File) Key() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.key
}

// SetObject sets the properties for the next commit. It does not make the file dirty. A running
// stream keeps the properties it was started with, because S3 takes them when an upload starts.
// The version that Commit returns has the properties of the object.
func (f *File) SetObject(o s3.ObjectOptions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.journal.outdated = f.journal.outdated || !reflect.DeepEqual(f.object, o)
	f.object = o
}

// takeErr returns the background error and marks it as reported.
func (f *File) takeErr() error {
	err := f.err
	f.err = nil
	return err
}

// step changes the state. An impossible step is a bug of this package.
func (f *File) step(e event) {
	next, err := f.state.next(e)
	if err != nil {
		panic(err)
	}
	f.state = next
}

// change begins a change of the range [off, end) for the user of ctx. It reports an unreported
// error, changes the state and the sequence number, and marks uploaded parts as outdated. If it
// refuses the change, the content is incomplete from then on (refusal).
func (f *File) change(ctx context.Context, off, end int64) error {
	f.user = fair.UserOf(ctx)
	if err := f.takeErr(); err != nil {
		f.refusal = f.refusal.join(err, off, end)
	}
	if f.refusal.hinders(off, end) {
		return f.refusal.err
	}
	f.refusal = nil
	next, err := f.state.next(eventWrite)
	if err != nil {
		return err
	}
	f.state = next
	f.seq++
	f.stream.outdate(off, end)
	return nil
}

// cut removes [off, end) from the extents.
func (f *File) cut(off, end int64) {
	before := f.ext.total
	f.ext.cut(off, end,
		func(right extent) {
			if right.c != nil {
				right.c.refs++
			}
		},
		func(gone extent) {
			if gone.c != nil {
				gone.c.refs--
				f.releaseChunk(gone.c)
			}
		})
	f.m.dirty.Add(f.ext.total - before)
}

// insert adds an extent and a reference to its chunk.
func (f *File) insert(e extent) {
	if e.c != nil {
		e.c.refs++
	}
	f.ext.insert(e)
	f.m.dirty.Add(e.n)
}

// releaseChunk releases memory and the slot of c that are not needed any more.
func (f *File) releaseChunk(c *chunk) {
	freed, free := c.releaseUnused(f.m.pool)
	f.mem -= int64(freed)
	f.m.memory.Add(-int64(freed))
	f.m.spool.release(free)
}

// pin keeps the bytes of c in place until unpin, so that they can be read without the lock.
func (f *File) pin(c *chunk) {
	c.pins++
	f.pins++
}

func (f *File) unpin(c *chunk) {
	c.pins--
	f.pins--
	f.releaseChunk(c)
}

// differs reports whether the content differs from the base.
func (f *File) differs() bool {
	return f.base == nil || !f.ext.empty() || f.size != f.base.v.Size || f.baseLen != f.base.v.Size
}

// check returns an error if an invariant is violated (I3, I6, I9). Tests call it after every step.
func (f *File) check() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.ext.check(); err != nil {
		return err
	}
	switch {
	case f.ext.end() > f.size:
		return fmt.Errorf("I3: extents end at %d, the size is %d", f.ext.end(), f.size)
	case f.baseLen > f.size:
		return fmt.Errorf("I3: %d bytes of the base in %d", f.baseLen, f.size)
	case f.base == nil && f.baseLen != 0, f.base != nil && f.baseLen > f.base.v.Size:
		return fmt.Errorf("I3: %d bytes of the base, more than it has", f.baseLen)
	case f.state == stateClean && f.differs():
		return fmt.Errorf("I6: clean with other content than the base")
	case f.state.running() != (f.run != nil) && f.state != stateDiscarded && f.state != stateStale:
		return fmt.Errorf("state %v, commit running: %v", f.state, f.run != nil)
	}
	return f.checkChunks()
}

// checkChunks compares the counts of references and memory with the extents.
func (f *File) checkChunks() error {
	refs := map[*chunk]int{}
	for e := range f.ext.in(0, f.size) {
		if e.c != nil {
			refs[e.c]++
		}
	}
	mem := int64(0)
	for c, n := range refs {
		if c.refs-c.frozen != n {
			return fmt.Errorf("I9: chunk with %d references, %d of them frozen, in %d extents", c.refs, c.frozen, n)
		}
		if c.mem == nil && c.slot.size == 0 {
			return fmt.Errorf("I3: an extent without bytes")
		}
		mem += int64(cap(c.mem))
	}
	if f.snaps == 0 && f.pins == 0 && mem != f.mem {
		return fmt.Errorf("I9: %d bytes of memory are counted, %d are there", f.mem, mem)
	}
	return nil
}
