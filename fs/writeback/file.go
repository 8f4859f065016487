package writeback

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/s3mount/s3mount/s3"
)

// File is a base object overlaid by extents (I3). What neither an extent nor
// the base holds, up to the size, is zeros. All methods are safe for
// concurrent use; Close is the last.
type File struct {
	m *Manager

	mu        sync.Mutex
	key       string
	state     state
	object    s3.ObjectOptions // for the next commit
	exclusive bool             // the first commit must create the object
	base      *base            // nil: none
	baseLen   int64            // bytes of the base that are still content: truncation cuts them
	size      int64
	low       int64  // the least size since the running commit began
	seq       uint64 // counts changes; an extent carries that of its last one
	ext       extents
	mem       int64   // bytes of pool memory in chunks
	cursor    int64   // where the spiller goes on
	err       error   // of the background, not reported yet (I5)
	run       *run    // the running commit
	stream    *stream // the upload that runs while the file is written
}

// newFile makes a file that m knows already.
func newFile(m *Manager, in OpenInput) *File {
	f := &File{m: m, key: in.Key, object: in.Object, exclusive: in.Exclusive}
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

// Dirty tells whether S3 does not hold the content yet. A discarded file is never dirty.
func (f *File) Dirty() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state == stateDirty || f.state == stateStale || f.state.running()
}

// Err returns the error of the background that no operation has reported yet
// (I5). It stays for the next write or commit.
func (f *File) Err() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.err
}

// Version returns the last committed version or the base; nil for a new file.
func (f *File) Version() *Version {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.base == nil {
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

// SetObject sets the properties for the next commit. It does not make the file
// dirty. Properties that change after the first part of a stream was sent cost
// a copy inside S3 at the commit, because S3 takes them when an upload starts.
func (f *File) SetObject(o s3.ObjectOptions) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.object = o
}

// takeErr returns the error of the background, which then counts as reported.
func (f *File) takeErr() error {
	err := f.err
	f.err = nil
	return err
}

// step moves the state. A step that cannot be is a mistake in this package.
func (f *File) step(e event) {
	next, err := f.state.next(e)
	if err != nil {
		panic(err)
	}
	f.state = next
}

// change begins a change of the range [off, end): it reports what was not
// reported yet, moves the state, counts, and marks uploaded parts as outdated.
func (f *File) change(off, end int64) error {
	if err := f.takeErr(); err != nil {
		return err
	}
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
				f.settle(gone.c)
			}
		})
	f.m.dirty.Add(f.ext.total - before)
}

// insert adds an extent, whose chunk it counts.
func (f *File) insert(e extent) {
	if e.c != nil {
		e.c.refs++
	}
	f.ext.insert(e)
	f.m.dirty.Add(e.n)
}

// settle gives back what c does not need any more.
func (f *File) settle(c *chunk) {
	freed, free := c.settle(f.m.pool)
	f.mem -= int64(freed)
	f.m.memory.Add(-int64(freed))
	f.m.spool.release(free)
}

// pin keeps c where it is until unpin, so that its bytes can be read without the lock.
func (f *File) pin(c *chunk) { c.pins++ }

func (f *File) unpin(c *chunk) {
	c.pins--
	f.settle(c)
}

// differs tells whether the content is other than the base's.
func (f *File) differs() bool {
	return f.base == nil || !f.ext.empty() || f.size != f.base.v.Size || f.baseLen != f.base.v.Size
}

// check returns the invariant that does not hold (I3, I6, I9); tests call it after every step.
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

// checkChunks compares the counts of references and memory with what is there.
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
	if f.run == nil && f.stream == nil && mem != f.mem {
		return fmt.Errorf("I9: %d bytes of memory are counted, %d are there", f.mem, mem)
	}
	return nil
}

// ReadAt reads the base overlaid by the extents. It is short at the end, with io.EOF.
func (f *File) ReadAt(ctx context.Context, p []byte, off int64) (int, error) {
	f.mu.Lock()
	if f.state == stateClosed {
		f.mu.Unlock()
		return 0, ErrClosed
	}
	if off >= f.size {
		f.mu.Unlock()
		return 0, io.EOF
	}
	n := int(min(int64(len(p)), f.size-off))
	late := f.copyOut(p[:n], off)
	f.mu.Unlock()

	err := f.fetch(ctx, late)
	if err != nil {
		return 0, err
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// piece is a part of a read whose bytes are not in memory.
type piece struct {
	p    []byte
	off  int64  // in the spool or in the base
	c    *chunk // pinned; nil: the base
	base *base  // referenced
}

// copyOut fills p from memory and returns what must be fetched without the lock.
func (f *File) copyOut(p []byte, off int64) (late []piece) {
	end := off + int64(len(p))
	under := func(from, to int64) { // what no extent hides
		if b := min(to, f.baseLen); from < b {
			f.base.refs++
			late = append(late, piece{p: p[from-off : b-off], off: from, base: f.base})
			from = b
		}
		if from < to {
			clear(p[from-off : to-off])
		}
	}
	at := off
	for e := range f.ext.in(off, end) {
		if at < e.off {
			under(at, e.off)
		}
		e = e.sub(off, end)
		at = e.end()
		to := p[e.off-off : at-off]
		switch {
		case e.c == nil:
			clear(to)
		case e.c.mem != nil:
			copy(to, e.c.mem[e.at:])
		default:
			f.pin(e.c)
			late = append(late, piece{p: to, off: e.c.slot.off + int64(e.at), c: e.c})
		}
	}
	if at < end {
		under(at, end)
	}
	return late
}

// fetch reads the pieces and lets go of what they hold. The first error wins.
func (f *File) fetch(ctx context.Context, late []piece) (err error) {
	if len(late) == 0 {
		return nil
	}
	for _, l := range late {
		switch {
		case err != nil:
		case l.c != nil:
			err = f.m.spool.read(l.p, l.off)
		default:
			err = l.base.read(ctx, l.p, l.off)
		}
	}
	var done []func()
	f.mu.Lock()
	for _, l := range late {
		if l.c != nil {
			f.unpin(l.c)
		} else {
			done = append(done, l.base.drop())
		}
	}
	f.mu.Unlock()
	for _, d := range done {
		d()
	}
	return err
}
