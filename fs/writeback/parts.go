package writeback

import (
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// growEvery is the number of parts after which the part size doubles. With
// the smallest part size of 5 MiB, ten thousand parts then reach 9.7 TiB, and
// with 8 MiB the first 7 GiB go in parts that four connections keep full.
const growEvery = 900

// limits bound the parts of an upload.
type limits struct {
	part    int64 // bytes of a part, before it grows
	min     int64 // s3.MinPartSize
	max     int64 // s3.MaxPartSize
	copyMax int64 // bytes of a part that S3 copies
	parts   int   // s3.MaxPartNumber
}

// copyPartSize is what one UploadPartCopy moves. S3 copies some 300 MiB/s per
// request, so that an object of 1 GiB is copied by 16 at once in 0.2 s, which
// parts of 256 MiB would do in 0.9 s. Smaller ones would be paid for as requests.
const copyPartSize = 64 << 20

// copyShare is the share of all part numbers, 1/4, that copies take before they
// grow: what lies between them is then still cut finely.
const copyShare = 4

func limitsFor(partSize int64) limits {
	return limits{part: partSize, min: s3.MinPartSize, max: s3.MaxPartSize,
		copyMax: copyPartSize, parts: s3.MaxPartNumber}
}

// size returns the size of part number n (from 1) of a stream, whose length
// is not known in advance.
func (l limits) size(n int) int64 {
	size := l.part
	for step := growEvery; n > step && size < l.max; step += growEvery {
		size *= 2
	}
	return min(size, l.max)
}

// part is one part of an upload: the bytes [off, off+n) of the file, sent, or
// copied inside S3 from the same place of the base.
type part struct {
	number int
	off, n int64
	copied bool
}

func (p part) end() int64 { return p.off + p.n }

// streamParts cuts a file of size bytes as a stream does, so that parts that
// are in S3 already keep their place. It returns nil when the parts do not
// suffice.
func (l limits) streamParts(size int64) []part { return l.partsFrom(nil, size) }

// copyParts cuts size bytes into parts that are copied, with others behind them.
func (l limits) copyParts(size int64) []part {
	for {
		parts := l.cutParts(size+1, []span{{0, size}})
		if parts = parts[:len(parts)-1]; 2*len(parts) <= l.parts { // half of them for what follows
			return parts
		}
		l.copyMax = min(2*l.copyMax, l.max)
	}
}

// partsFrom is streamParts behind first, which it contains.
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

// sent returns how many bytes of parts are not copied inside S3.
func sent(parts []part) int64 {
	n := int64(0)
	for _, p := range parts {
		if !p.copied {
			n += p.n
		}
	}
	return n
}

// span is the range [off, end) of a file.
type span struct{ off, end int64 }

func (s span) len() int64 { return s.end - s.off }

// planParts cuts a file of size bytes whose ranges in keep are those of the
// base: long ones are copied inside S3, the rest is sent. keep is in order and
// does not touch itself. Every part but the last has at least l.min bytes, and
// there are at most l.parts: with more dirty ranges than that, the kept ranges
// between them must be longer to be worth a copy.
func (l limits) planParts(size int64, keep []span) []part {
	for size/l.copyMax > int64(l.parts)/copyShare && l.copyMax < l.max {
		l.copyMax = min(2*l.copyMax, l.max)
	}
	for long := l.min; ; {
		parts := l.cutParts(size, l.copies(size, keep, long))
		if len(parts) <= l.parts {
			return parts
		}
		long *= 2
		if l.part < l.max {
			l.part = min(2*l.part, l.max)
		}
		if l.copyMax < l.max {
			l.copyMax = min(2*l.copyMax, l.max)
		}
	}
}

// lastCopy is the least that is worth a copy at the end of a file, where no
// minimum holds: less is read and sent with the part before it.
const lastCopy = 1 << 20

// copies chooses the kept ranges of at least long bytes and moves their
// borders so that what lies between two of them is empty or at least l.min.
func (l limits) copies(size int64, keep []span, long int64) []span {
	var out []span
	end := int64(0) // of the last copy
	for _, k := range keep {
		if gap := k.off - end; gap > 0 && gap < l.min {
			k.off = min(end+l.min, k.end) // the part before it takes what it lacks
		}
		if k.len() >= long || k.end == size && k.len() >= min(lastCopy, long) {
			out = append(out, k)
			end = k.end
		}
	}
	return out
}

// cutParts numbers the parts of copies and of what lies between them.
func (l limits) cutParts(size int64, copies []span) []part {
	var parts []part
	add := func(s span, largest int64, copied bool) {
		for off := s.off; off < s.end; {
			p := part{number: len(parts) + 1, off: off, n: min(largest, s.end-off), copied: copied}
			if left := s.end - p.end(); s.end < size && left > 0 && left < l.min {
				// The rest would be too small: halve what is left, or take it
				// all where the halves would be.
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
	for _, c := range copies {
		add(span{end, c.off}, l.part, false)
		add(c, l.copyMax, true)
		end = c.end
	}
	add(span{end, size}, l.part, false)
	return parts
}
