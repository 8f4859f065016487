package writeback

import "testing"

// TestPartReadsOnlyItsRangeOfBase checks that a part fetches its bytes of the base only up to its
// end, not up to the next written byte.
func TestPartReadsOnlyItsRangeOfBase(t *testing.T) {
	b := newBench(t, t.TempDir(), 16<<20, nil)
	b.shrink(64<<10, 32<<10)
	old := random(1_000_000, 1)
	b.s.put("k", old)
	f := b.openKey("k")
	mustWrite(t, f, random(4096, 2), 500_000)
	mustCommit(t, f)
	copy(old[500_000:], random(4096, 2))
	sameContent(t, "object", b.s.object("k"), old)
	b.s.mu.Lock()
	if want := int64(500_000 + 32<<10); b.s.reach != want {
		t.Errorf("the base is fetched up to %d, the part ends at %d", b.s.reach, want)
	}
	b.s.mu.Unlock()
	mustClose(t, f)
	b.end(t)
}
