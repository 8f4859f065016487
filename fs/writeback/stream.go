package writeback

import (
	"context"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/fair"
)

// stream is the multipart upload of a file that is still being written. Each part is sent as soon
// as it is full, so that a commit only has to send the last one. When a program appends to a large
// file, S3 copies the first parts from the base. The file's mu guards the fields, except for the
// fields that are set before created is closed.
type stream struct {
	base    *base            // the source of the copied first parts; nil: all parts are sent
	prefix  []part           // the copied first parts
	object  s3.ObjectOptions // the properties that the upload was started with
	ctx     context.Context  // the context of the part requests
	cancel  context.CancelFunc
	created chan struct{} // closed when id or createErr is set
	id      s3.UploadID
	failed  error // the error of the creation

	parts   []*streamPart // numbers 1, 2, ...
	next    int64         // the end of the last part
	done    int64         // the parts before this offset were moved to the spool
	running int           // parts that are being sent
	quiet   chan struct{} // closed when running becomes 0; nil while nobody waits
	broken  bool          // a part failed: no more are started
}

// streamPart is a part that was sent or is being sent.
type streamPart struct {
	part
	outdated bool     // its range was written since
	result   *s3.Part // nil while it is being sent, and after an error
}

// outdate marks the parts that overlap [off, end).
func (s *stream) outdate(off, end int64) {
	if s == nil || off >= s.next {
		return
	}
	for i := len(s.parts) - 1; i >= 0 && s.parts[i].end() > off; i-- {
		if s.parts[i].off < end {
			s.parts[i].outdated = true
		}
	}
}

// uploaded returns the range of parts that S3 has and that may still be in memory.
func (s *stream) uploaded() (from, to int64) {
	if s == nil {
		return 0, 0
	}
	from, to = s.done, s.done
	for _, p := range s.parts {
		if p.off < from {
			continue
		}
		if p.result == nil {
			break
		}
		to = p.end()
	}
	return from, to
}

// spooled records that everything before off was moved to the spool.
func (s *stream) spooled(off int64) {
	if s != nil {
		s.done = max(s.done, off)
	}
}

// advance sends the parts that have become full. The caller holds mu. A file streams from its
// beginning if it is new or if its base is too short to be copied. It streams from the end of its
// base if it is appended to. Other changes of a base are divided into parts at commit, when its
// unchanged ranges are known. A file of exactly one part is one PUT.
func (f *File) advance() {
	if f.state != stateDirty || f.stream == nil && !f.mayStream() {
		return
	}
	for f.stream == nil || !f.stream.broken {
		p := f.nextPart()
		if p.number > f.m.limits.parts || f.size < p.end() || !f.ext.covers(max(p.off, f.sentBase()), p.end()) {
			return
		}
		if !f.ext.hasBytes(p.off, p.end()) {
			return // a hole, which the commit may copy
		}
		if f.stream == nil {
			f.openStream()
		}
		f.sendPart(p)
	}
}

// copyBase reports whether the base is long enough to be copied by S3 as a part.
func (f *File) copyBase() bool { return f.baseLen >= f.m.limits.min }

// sentBase returns the number of bytes of the base that are sent with the first part.
func (f *File) sentBase() int64 {
	if f.copyBase() {
		return 0
	}
	return f.baseLen
}

// mayStream reports whether a stream may start: the file is sent from its beginning, or its base is
// unchanged so far.
func (f *File) mayStream() bool {
	if !f.copyBase() {
		return f.size > f.m.limits.size(1)
	}
	end := f.base.v.Size
	first := f.ext.first()
	return !f.base.foreign && f.baseLen == end && first != nil && first.off >= end
}

// nextPart returns the part that follows the parts of the stream.
func (f *File) nextPart() part {
	p := part{number: 1}
	switch s := f.stream; {
	case s != nil:
		p.number, p.off = len(s.parts)+1, s.next
	case f.copyBase():
		p.number, p.off = len(f.m.limits.copyParts(f.base.v.Size))+1, f.base.v.Size
	}
	p.n = f.m.limits.size(p.number)
	return p
}

// openStream starts the upload.
func (f *File) openStream() {
	s := &stream{object: f.object, created: make(chan struct{})}
	if f.copyBase() {
		s.base = f.base
	}
	s.ctx, s.cancel = context.WithCancel(fair.WithUser(f.m.ctx, f.user))
	f.stream = s
	f.sent.Store(0)
	key := f.key
	f.m.background(func() {
		defer close(s.created)
		s.id, s.failed = f.m.createUpload(f.m.ctx, key, s.object, s.base != nil)
	})
	if s.base == nil {
		return
	}
	s.prefix = f.m.limits.copyParts(s.base.v.Size)
	for _, p := range s.prefix {
		f.sendPart(p)
	}
}

// layout returns the parts of a file of size bytes. S3 may have the parts before streamed already.
// layout returns nil if there are not enough part numbers.
func (s *stream) layout(l limits, size, streamed int64, holes []span) []part {
	if holes == nil || size <= streamed {
		return l.partsFrom(s.prefix, size)
	}
	return l.planBehind(l.partsFrom(s.prefix, streamed), size, nil, holes)
}

// sendPart sends one part in the background.
func (f *File) sendPart(p part) {
	s := f.stream
	sp := &streamPart{part: p}
	s.parts = append(s.parts, sp)
	s.next = p.end()
	s.running++
	snap := f.snapshot(p.off, p.end())
	f.m.background(func() {
		result, err := f.uploadStreamPart(s, snap, p)
		f.mu.Lock()
		done := snap.release()
		sp.result = result
		if err != nil && !s.broken { // other parts may fail with the same error
			s.broken = true
			if f.run == nil && f.stream == s && f.err == nil && s.ctx.Err() == nil {
				f.err = err // a running commit sends the part itself, and reports errors
			}
		}
		s.running--
		if s.running == 0 && s.quiet != nil {
			close(s.quiet)
			s.quiet = nil
		}
		f.mu.Unlock()
		done()
	})
}

func (f *File) uploadStreamPart(s *stream, snap *snapshot, p part) (*s3.Part, error) {
	<-s.created
	if s.failed != nil {
		return nil, s.failed
	}
	if p.copied {
		return f.m.copyPart(s.ctx, s.id, snap, p, s.object.SSE.Customer)
	}
	return f.m.sendPart(s.ctx, s.id, snap, p, s.object.SSE.Customer)
}

// waitParts waits until no part of s is being sent.
func (f *File) waitParts(ctx context.Context, s *stream) error {
	f.mu.Lock()
	if s.running > 0 && s.quiet == nil {
		s.quiet = make(chan struct{})
	}
	quiet := s.quiet
	f.mu.Unlock()
	if quiet == nil {
		return nil
	}
	select {
	case <-quiet:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// abandon ends the stream without an object. The caller holds mu.
func (f *File) abandon() {
	s := f.stream
	if s == nil {
		return
	}
	f.stream = nil
	s.cancel()
	f.m.background(func() {
		<-s.created
		// A part that arrives after the abort would stay, so wait for all parts.
		if err := f.waitParts(context.WithoutCancel(s.ctx), s); err != nil || s.failed != nil {
			return
		}
		f.m.abortUpload(s.id)
	})
}
