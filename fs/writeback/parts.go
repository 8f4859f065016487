package writeback

import (
	"cmp"
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// growEvery is the number of parts after which the part size doubles. Ten thousand parts then reach
// 9.7 TiB with the smallest part size of 5 MiB. With 8 MiB, the first 7 GiB use small parts that keep
// four connections busy.
const growEvery = 900

// limits bound the parts of an upload.
type limits struct {
	part    int64 // bytes of a part, before it grows
	min     int64 // s3.MinPartSize
	max     int64 // s3.MaxPartSize
	copyMax int64 // largest part that S3 copies from the base
	zeroMax int64 // largest part that S3 copies from an object of zeros: zeroPart
	parts   int   // s3.MaxPartNumber
}

// copyPartSize is the size of one UploadPartCopy. S3 copies about 300 MiB/s per request, so that 16
// requests copy 1 GiB in 0.2 s. Parts of 256 MiB take 0.9 s. Smaller parts cost more requests.
const copyPartSize = 64 << 20

// copyShare is the divisor of the part numbers (1/4) that copies use before they grow. The other numbers
// are for the parts between the copies.
const copyShare = 4

func limitsFor(partSize int64) limits {
	return limits{part: partSize, min: s3.MinPartSize, max: s3.MaxPartSize,
		copyMax: copyPartSize, parts: s3.MaxPartNumber}
}

// size returns the size of part number n (from 1) of a stream, whose length is not known in advance.
func (l limits) size(n int) int64 {
	size := l.part
	for step := growEvery; n > step && size < l.max; step += growEvery {
		size *= 2
	}
	return min(size, l.max)
}

// part is one part of an upload: the bytes [off, off+n) of the file. It is sent, or copied inside S3.
type part struct {
	number int
	off, n int64
	copied bool // copied from the same place of the base
	zero   bool // copied from an object of zeros
}

func (p part) end() int64 { return p.off + p.n }

// streamParts divides a file of size bytes like a stream, so that parts that are in S3 already keep
// their place. It returns nil if there are not enough part numbers.
func (l limits) streamParts(size int64) []part { return l.partsFrom(nil, size) }

// copyParts divides size bytes into parts that are copied. Other parts may follow.
func (l limits) copyParts(size int64) []part {
	for {
		parts := l.cutParts(nil, size+1, []copied{{span: span{0, size}}})
		if parts = parts[:len(parts)-1]; 2*len(parts) <= l.parts { // the other half is for the parts that follow
			return parts
		}
		l.copyMax = min(2*l.copyMax, l.max)
	}
}

// partsFrom is like streamParts, but the result begins with first.
func (l limits) partsFrom(first []part, size int64) []part {
	parts := slices.Clone(first)
	off := int64(0)
	if n := len(first); n > 0 {
		off = first[n-1].end()
	}
	for off < size {
		n := len(parts) + 1
		if n > l.parts {
			return nil
		}
		p := part{number: n, off: off, n: min(l.size(n), size-off)}
		parts = append(parts, p)
		off = p.end()
	}
	return parts
}

// sent returns the number of bytes of parts that are not copied inside S3.
func sent(parts []part) int64 {
	n := int64(0)
	for _, p := range parts {
		if !p.copied && !p.zero {
			n += p.n
		}
	}
	return n
}

// span is the range [off, end) of a file.
type span struct{ off, end int64 }

func (s span) len() int64 { return s.end - s.off }

// copied is a range of a file that S3 can copy from the base or from zeros.
type copied struct {
	span
	zero bool
}

// planParts divides a file of size bytes. The ranges in keep equal the base, and the ranges in holes are
// zeros: long ones are copied inside S3, and the rest is sent. Both lists are in order, and their ranges
// do not overlap. Every part but the last has at least l.min bytes, and there are at most l.parts. If
// there are more dirty ranges, only longer ranges are copied.
func (l limits) planParts(size int64, keep, holes []span) []part {
	return l.planBehind(nil, size, keep, holes)
}

// planBehind is like planParts, but the result begins with first.
func (l limits) planBehind(first []part, size int64, keep, holes []span) []part {
	for size/l.copyMax > int64(l.parts)/copyShare && l.copyMax < l.max {
		l.copyMax = min(2*l.copyMax, l.max)
	}
	l.zeroMax = l.zeroPart(holes)
	start := int64(0)
	if n := len(first); n > 0 {
		start = first[n-1].end()
	}
	sources := mergeSources(start, keep, holes)
	for long := l.min; ; {
		parts := l.cutParts(first, size, l.copies(start, size, sources, long))
		if len(parts) <= l.parts {
			return parts
		}
		long *= 2
		l.part = l.double(l.part)
		l.copyMax = l.double(l.copyMax)
		l.zeroMax = l.double(l.zeroMax)
	}
}

// double returns twice n, or n if it is as large as a part may be.
func (l limits) double(n int64) int64 {
	if n >= l.max {
		return n
	}
	return min(2*n, l.max)
}

// mergeSources returns the parts of keep and holes behind start, in order.
func mergeSources(start int64, keep, holes []span) []copied {
	var all []copied
	for _, list := range []struct {
		spans []span
		zero  bool
	}{{keep, false}, {holes, true}} {
		for _, s := range list.spans {
			if s.off = max(s.off, start); s.off < s.end {
				all = append(all, copied{s, list.zero})
			}
		}
	}
	slices.SortFunc(all, func(a, b copied) int { return cmp.Compare(a.off, b.off) })
	return all
}

// lastCopy is the shortest range at the end of a file that is copied. The last part has no minimum size,
// but shorter ranges are cheaper to read and send with the part before.
const lastCopy = 1 << 20

// copies selects the ranges of at least long bytes and moves their borders, so that the gaps
// between them, and the gap behind start, are empty or at least l.min long.
func (l limits) copies(start, size int64, sources []copied, long int64) []copied {
	var out []copied
	end := start // the end of the last copy
	for _, k := range sources {
		if gap := k.off - end; gap > 0 && gap < l.min {
			k.off = min(end+l.min, k.end) // lengthens the part before it to l.min
		}
		if k.len() >= long || k.end == size && k.len() >= min(lastCopy, long) {
			out = append(out, k)
			end = k.end
		}
	}
	return out
}

// cutParts numbers the copies and the parts between them, behind first.
func (l limits) cutParts(first []part, size int64, copies []copied) []part {
	parts := slices.Clone(first)
	add := func(s span, largest int64, as part) {
		for off := s.off; off < s.end; {
			p := as
			p.number, p.off, p.n = len(parts)+1, off, min(largest, s.end-off)
			if left := s.end - p.end(); s.end < size && left > 0 && left < l.min {
				// The rest would be too small. Halve the remaining bytes, or use them all if the
				// halves would be too small.
				p.n = s.end - off
				if p.n >= 2*l.min {
					p.n /= 2
				}
			}
			parts = append(parts, p)
			off = p.end()
		}
	}
	end := int64(0)
	if n := len(first); n > 0 {
		end = first[n-1].end()
	}
	for _, c := range copies {
		add(span{end, c.off}, l.part, part{})
		if c.zero {
			add(c.span, l.zeroMax, part{zero: true})
		} else {
			add(c.span, l.copyMax, part{copied: true})
		}
		end = c.end
	}
	add(span{end, size}, l.part, part{})
	return parts
}
