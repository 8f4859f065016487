package writeback

import (
	"math"

	"github.com/s3mount/s3mount/s3"
)

// spillUploaded moves the memory of parts that S3 has to the spool.
func (f *File) spillUploaded() (int64, error) {
	f.mu.Lock()
	from, to := f.stream.uploaded()
	f.mu.Unlock()
	if from >= to {
		return 0, nil
	}
	n, _, err := f.spillRange(from, to)
	if n == 0 && err == nil { // all of it is in the spool
		f.mu.Lock()
		f.stream.spooled(to)
		f.mu.Unlock()
	}
	return n, err
}

// spillIdle moves the memory of a file that has no upload and more memory than a small file.
func (f *File) spillIdle() (int64, error) {
	f.mu.Lock()
	idle := f.run == nil && f.stream == nil && f.mem >= s3.MinPartSize
	f.mu.Unlock()
	if !idle {
		return 0, nil
	}
	return f.spillAny()
}

// spillAny moves any memory. It continues where the last call stopped.
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

// spillRun is the largest chunk in the spool. With it, 64 GiB in the spool need about 10 MB of memory for
// bookkeeping, and a partly overwritten chunk wastes little disk space.
const spillRun = 1 << 20

// spillRange moves up to one batch of [from, to) to the spool. It returns the bytes of memory that
// are free now or when their readers are done, and the offset at which to continue.
func (f *File) spillRange(from, to int64) (moved, next int64, err error) {
	runs, next := f.seal(from, to)
	for _, r := range runs {
		var at slot
		if err == nil {
			at, err = f.m.spool.store(r.bytes())
		}
		f.mu.Lock()
		switch {
		case err != nil:
			f.unseal(r)
		case len(r) == 1:
			moved += int64(cap(r[0].c.mem))
			r[0].c.slot = at
			f.unpin(r[0].c)
		default:
			moved += f.merge(r, at)
		}
		f.mu.Unlock()
	}
	return moved, next, err
}

// sealed is a run of extents whose chunks are on the way to the spool. They become one extent.
type sealed []extent

// bytes returns the bytes to write.
func (r sealed) bytes() [][]byte {
	out := make([][]byte, len(r))
	for i, e := range r {
		out[i] = e.c.mem[:e.c.used]
	}
	return out
}

// seal selects chunks to move and prevents changes of them.
func (f *File) seal(from, to int64) (runs []sealed, next int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	total, run := 0, 0
	for e := range f.ext.in(from, to) {
		c := e.c
		if c == nil || c.mem == nil || c.sealed {
			continue
		}
		if total >= spillBatch {
			return runs, e.off
		}
		c.sealed = true
		f.pin(c)
		total += cap(c.mem)
		if last := len(runs) - 1; last >= 0 && run+c.used <= spillRun && joins(runs[last], e) {
			runs[last] = append(runs[last], e)
			run += c.used
		} else {
			runs = append(runs, sealed{e})
			run = c.used
		}
	}
	return runs, 0
}

// joins reports whether e and the extents of r can become one extent.
func joins(r sealed, e extent) bool {
	last := r[len(r)-1]
	return last.end() == e.off && last.whole() && e.whole()
}

// whole reports whether e uses all bytes of its chunk.
func (e extent) whole() bool {
	return e.c.refs == 1 && e.c.frozen == 0 && e.at == 0 && int(e.n) == e.c.used
}

// unseal allows changes again of chunks that could not be moved.
func (f *File) unseal(r sealed) {
	for _, e := range r {
		e.c.sealed = false
		f.unpin(e.c)
	}
}

// merge replaces the extents of r by one extent at at in the spool. If one of r was changed or
// frozen in the meantime, merge moves nothing, and the next call tries again.
func (f *File) merge(r sealed, at slot) (moved int64) {
	one := extent{off: r[0].off, c: &chunk{slot: at, sealed: true}}
	for _, e := range r {
		now := f.ext.get(f.ext.find(e.off))
		if now == nil || now.off != e.off || now.n != e.n || now.c != e.c || !now.whole() {
			f.m.spool.release(at)
			f.unseal(r)
			return 0
		}
		one.seq = max(one.seq, now.seq)
		one.n += e.n
	}
	one.c.used = int(one.n)
	f.cut(one.off, one.end())
	f.insert(one)
	for _, e := range r {
		moved += int64(cap(e.c.mem))
		f.unpin(e.c)
	}
	return moved
}
