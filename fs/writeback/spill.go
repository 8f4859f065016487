package writeback

import (
	"math"

	"github.com/s3mount/s3mount/s3"
)

// spillUploaded moves the memory of parts that S3 holds to the spool.
func (f *File) spillUploaded() (int64, error) {
	f.mu.Lock()
	from, to := f.stream.uploaded()
	f.mu.Unlock()
	if from >= to {
		return 0, nil
	}
	n, _, err := f.spillRange(from, to)
	if n == 0 && err == nil { // all of it is there
		f.mu.Lock()
		f.stream.spooled(to)
		f.mu.Unlock()
	}
	return n, err
}

// spillIdle moves the memory of a file that is not being uploaded and holds more
// than a small file does.
func (f *File) spillIdle() (int64, error) {
	f.mu.Lock()
	idle := f.run == nil && f.stream == nil && f.mem >= s3.MinPartSize
	f.mu.Unlock()
	if !idle {
		return 0, nil
	}
	return f.spillAny()
}

// spillAny moves any memory, from where the last call stopped.
func (f *File) spillAny() (int64, error) {
	f.mu.Lock()
	from := f.cursor
	f.mu.Unlock()
	moved, next, err := f.spillRange(from, math.MaxInt64)
	if moved == 0 && err == nil && from > 0 {
		moved, next, err = f.spillRange(0, from)
	}
	f.mu.Lock()
	f.cursor = next
	f.mu.Unlock()
	return moved, err
}

// spillRange moves up to one batch of [from, to) to the spool. It returns the
// bytes of memory that this freed, or will free once their readers are done,
// and where to go on.
func (f *File) spillRange(from, to int64) (moved, next int64, err error) {
	chunks, next := f.seal(from, to)
	for _, c := range chunks {
		var at slot
		if err == nil {
			at, err = f.spillChunk(c)
		}
		f.mu.Lock()
		if err == nil {
			c.slot = at
			moved += int64(cap(c.mem))
		} else {
			c.sealed = false
		}
		f.unpin(c)
		f.mu.Unlock()
	}
	return moved, next, err
}

// seal chooses chunks to move and keeps them from changing.
func (f *File) seal(from, to int64) (chunks []*chunk, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	total := 0
	for e := range f.ext.in(from, to) {
		c := e.c
		if c == nil || c.mem == nil || c.sealed {
			continue
		}
		if total >= spillBatch {
			return chunks, e.off
		}
		c.sealed = true
		f.pin(c)
		chunks = append(chunks, c)
		total += cap(c.mem)
	}
	return chunks, 0
}

// spillChunk writes a sealed chunk to the spool.
func (f *File) spillChunk(c *chunk) (slot, error) {
	at, err := f.m.spool.alloc(c.used)
	if err != nil {
		return slot{}, err
	}
	if err := f.m.spool.write(at, c.mem[:c.used]); err != nil {
		f.m.spool.release(at)
		return slot{}, err
	}
	return at, nil
}
