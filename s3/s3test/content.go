package s3test

import (
	"bytes"
	"crypto/md5" //nolint:gosec // an S3 ETag is an MD5
	"encoding/hex"
	"hash"
	"io"
	"sort"
)

const (
	// segmentSize is how bodies are cut in memory: large enough to be cheap,
	// small enough that a short body wastes little.
	segmentSize = 1 << 20
	// zeroPageSize bounds the writes that send a run of zeros.
	zeroPageSize = 64 << 10
)

// content is the immutable bytes of an object: runs that may be shared with
// other objects and parts. Copies and joins move no bytes.
type content struct {
	segments []segment
}

// segment is one run of a content. It ends at offset end of the content and
// holds data, again and again if it is longer than data; its first byte is
// data[phase].
type segment struct {
	end   int64
	data  []byte
	phase int64
}

// newContent is a content of these bytes, which must not change any more.
func newContent(p []byte) content {
	var c content
	c.add(segment{end: int64(len(p)), data: p}, int64(len(p)))
	return c
}

// repeated is a content of size bytes that repeats pattern.
func repeated(pattern []byte, size int64) content {
	var c content
	c.add(segment{data: pattern}, size)
	return c
}

// size is the number of bytes.
func (c content) size() int64 {
	if len(c.segments) == 0 {
		return 0
	}
	return c.segments[len(c.segments)-1].end
}

// add appends n bytes of s.
func (c *content) add(s segment, n int64) {
	if n == 0 {
		return
	}
	s.end = c.size() + n
	c.segments = append(c.segments, s)
}

// walk calls f with the bytes of [first, first+n) in order.
func (c content) walk(first, n int64, f func([]byte) error) error {
	i := sort.Search(len(c.segments), func(i int) bool { return c.segments[i].end > first })
	for ; n > 0 && i < len(c.segments); i++ {
		s := c.segments[i]
		start := c.start(i)
		for at := max(first, start); at < s.end && n > 0; {
			p := s.data[(at-start+s.phase)%int64(len(s.data)):]
			p = p[:min(int64(len(p)), s.end-at, n)]
			if err := f(p); err != nil {
				return err
			}
			at += int64(len(p))
			n -= int64(len(p))
		}
	}
	return nil
}

// start is the offset of segment i.
func (c content) start(i int) int64 {
	if i == 0 {
		return 0
	}
	return c.segments[i-1].end
}

// slice is the content of [first, first+n), sharing the bytes.
func (c content) slice(first, n int64) content {
	var out content
	i := sort.Search(len(c.segments), func(i int) bool { return c.segments[i].end > first })
	for ; n > 0 && i < len(c.segments); i++ {
		s := c.segments[i]
		start := c.start(i)
		at := max(first, start)
		take := min(s.end-at, n)
		phase := (at - start + s.phase) % int64(len(s.data))
		out.add(segment{data: s.data, phase: phase}, take)
		n -= take
	}
	return out
}

// join is the content of all parts in order.
func join(parts ...content) content {
	var out content
	for _, p := range parts {
		for i, s := range p.segments {
			out.add(s, s.end-p.start(i))
		}
	}
	return out
}

// bytes is a copy of all bytes.
func (c content) bytes() []byte {
	out := make([]byte, 0, c.size())
	_ = c.walk(0, c.size(), func(p []byte) error {
		out = append(out, p...)
		return nil
	})
	return out
}

// sum writes all bytes to h and returns the digest.
func (c content) sum(h hash.Hash) []byte {
	_ = c.walk(0, c.size(), func(p []byte) error {
		_, err := h.Write(p)
		return err
	})
	return h.Sum(nil)
}

// md5Hex is the ETag (without quotes) that a plain PUT of c gets.
func (c content) md5Hex() string {
	return hex.EncodeToString(c.sum(md5.New())) //nolint:gosec // an S3 ETag is an MD5
}

// writeTo sends [first, first+n) to w.
func (c content) writeTo(w io.Writer, first, n int64) error {
	return c.walk(first, n, func(p []byte) error {
		_, err := w.Write(p)
		return err
	})
}

// readContent reads r to its end. Runs of zeros take no memory, so that a
// stream of zeros may be as long as a test likes. size is a hint.
func readContent(r io.Reader, size int64) (content, error) {
	var c content
	var p []byte
	for {
		want := int64(segmentSize)
		if rest := size - c.size(); rest >= 0 && rest < want {
			want = max(rest, 1) // one byte more shows the end, or a body that is too long
		}
		if int64(len(p)) != want {
			p = make([]byte, want)
		}
		n, err := io.ReadFull(r, p)
		if c.addBytes(p[:n]) {
			p = nil
		}
		switch err {
		case nil:
		case io.EOF, io.ErrUnexpectedEOF:
			return c, nil
		default:
			return c, err
		}
	}
}

// addBytes appends p. It returns true if it keeps p itself, which it does
// unless p is all zeros.
func (c *content) addBytes(p []byte) bool {
	n := int64(len(p))
	if n < zeroPageSize || !allZero(p) {
		c.add(segment{data: p}, n)
		return n > 0
	}
	if last := len(c.segments) - 1; last >= 0 && isZeroPage(c.segments[last].data) {
		c.segments[last].end += n
	} else {
		c.add(segment{data: zeroPage[:]}, n)
	}
	return false
}

// zeroPage stands for every run of zeros. It is never written to.
var zeroPage [zeroPageSize]byte

// allZero reports whether p contains only zeros.
func allZero(p []byte) bool {
	for len(p) > zeroPageSize {
		if !bytes.Equal(p[:zeroPageSize], zeroPage[:]) {
			return false
		}
		p = p[zeroPageSize:]
	}
	return bytes.Equal(p, zeroPage[:len(p)])
}

// isZeroPage reports whether p is the shared page.
func isZeroPage(p []byte) bool { return len(p) == zeroPageSize && &p[0] == &zeroPage[0] }
