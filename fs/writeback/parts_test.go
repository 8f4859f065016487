package writeback

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/s3mount/s3mount/s3"
)

// checkParts checks S3's rules, and that the parts cover the file in order.
func checkParts(t tb, l limits, size int64, parts []part) {
	t.Helper()
	at := int64(0)
	for i, p := range parts {
		switch {
		case p.number != i+1 || p.number > l.parts:
			t.Fatalf("part %d has number %d", i, p.number)
		case p.off != at || p.n <= 0:
			t.Fatalf("part %d is [%d,%d) after %d", i, p.off, p.end(), at)
		case p.n < l.min && i < len(parts)-1:
			t.Fatalf("part %d of %d has %d bytes, less than %d", i, len(parts), p.n, l.min)
		case p.n > l.max:
			t.Fatalf("part %d has %d bytes, more than %d", i, p.n, l.max)
		}
		at = p.end()
	}
	if at != size {
		t.Fatalf("the parts end at %d, the file at %d", at, size)
	}
}

func TestPlanParts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := limits{
			part:  rapid.Int64Range(5, 40).Draw(t, "part"),
			max:   rapid.Int64Range(400, 5000).Draw(t, "max"),
			parts: rapid.IntRange(20, 100).Draw(t, "parts"),
		}
		l.min = rapid.Int64Range(1, l.part).Draw(t, "min")
		l.copyMax = rapid.Int64Range(l.min, 300).Draw(t, "copyMax")
		size := rapid.Int64Range(1, 4000).Draw(t, "size")
		var keep, holes []span
		for at := int64(0); at < size; {
			s := span{at + rapid.Int64Range(0, 60).Draw(t, "gap"), 0}
			s.end = min(size, s.off+rapid.Int64Range(1, 400).Draw(t, "len"))
			switch {
			case s.off >= s.end:
			case rapid.Bool().Draw(t, "hole"):
				holes = append(holes, s)
			default:
				keep = append(keep, s)
			}
			at = s.end
		}
		parts := l.planParts(size, keep, holes)
		checkParts(t, l, size, parts)
		for _, p := range parts {
			if p.copied && !inside(keep, p) {
				t.Fatalf("part [%d,%d) is copied but not kept", p.off, p.end())
			}
			if p.zero && !inside(holes, p) {
				t.Fatalf("part [%d,%d) is a copy of zeros but no hole", p.off, p.end())
			}
		}
	})
}

func inside(keep []span, p part) bool {
	for _, k := range keep {
		if k.off <= p.off && p.end() <= k.end {
			return true
		}
	}
	return false
}

// TestPlanMovesLittle checks the number of bytes that a small change of a large object sends.
func TestPlanMovesLittle(t *testing.T) {
	const gib = int64(1) << 30
	const mib = int64(1) << 20
	l := limitsFor(8 << 20)
	for _, c := range []struct {
		name string
		size int64
		keep []span
		most int64 // bytes sent
	}{
		{"append 1 MiB to 1 GiB", gib + mib, []span{{0, gib}}, mib},
		{"4 KiB in the middle", gib, []span{{0, gib / 2}, {gib/2 + 4096, gib}}, 5 * mib},
		{"4 KiB at the start", gib, []span{{4096, gib}}, 5 * mib},
		{"4 KiB before the end", gib, []span{{0, gib - 8192}, {gib - 4096, gib}}, 8192},
		{"4 KiB, 3 MiB from the end", gib, []span{{0, gib - 3*mib}, {gib - 3*mib + 4096, gib}}, 5 * mib},
		{"append to 3 MiB", 3*mib + gib, []span{{0, 3 * mib}}, 3*mib + gib},
		{"truncated to half", gib / 2, []span{{0, gib / 2}}, 0},
		{"nothing but properties", 5 << 40, []span{{0, 5 << 40}}, 0},
	} {
		parts := l.planParts(c.size, c.keep, nil)
		checkParts(t, l, c.size, parts)
		if n := sent(parts); n > c.most {
			t.Errorf("%s: %d bytes are sent, want at most %d", c.name, n, c.most)
		}
	}
}

// TestStreamParts checks that part sizes grow so that streams reach S3's limit.
func TestStreamParts(t *testing.T) {
	for _, part := range []int64{s3.MinPartSize, 8 << 20, 64 << 20, s3.MaxPartSize} {
		l := limitsFor(part)
		for _, size := range []int64{1, part, part + 1, 100*part - 1, 5 << 40} {
			parts := l.streamParts(size)
			if parts == nil {
				t.Fatalf("parts of %d do not reach %d", part, size)
			}
			checkParts(t, l, size, parts)
		}
	}
	if l := limitsFor(s3.MinPartSize); l.streamParts(s3.MaxPartNumber*s3.MaxPartSize) != nil {
		t.Error("parts of 5 MiB reach 48 TiB")
	}
}

// TestPlanManyChanges checks that changes everywhere in a huge object fit into 10,000 parts.
func TestPlanManyChanges(t *testing.T) {
	const size = int64(5) << 40
	var keep []span
	for off := int64(0); off < size; off += 100 << 20 {
		keep = append(keep, span{off + 4096, min(size, off+100<<20)})
	}
	l := limitsFor(8 << 20)
	checkParts(t, l, size, l.planParts(size, keep, nil))
}

// TestSmallChangeOfAnySize checks that 4 KiB inside of an object cost one small part, and that
// further 4 KiB nearby cost another one, for any number of copies.
func TestSmallChangeOfAnySize(t *testing.T) {
	l := limitsFor(defaultPartSize)
	for _, size := range []int64{256 << 20, 1 << 30, 1 << 40, defaultMaxSize, s3.MaxPartNumber * int64(s3.MaxPartSize) / 2} {
		one, two := size/2, size/2+12<<20
		parts := l.planParts(size, []span{{0, one}, {one + 4096, two}, {two + 4096, size}}, nil)
		checkParts(t, l, size, parts)
		if n := sent(parts); n != 2*l.min {
			t.Errorf("of %d bytes %d are sent in %d parts, want %d", size, n, len(parts), 2*l.min)
		}
	}
}
