//go:build race

package cache

// raceEnabled tells that the race detector watches. It sees only memory of the
// Go heap, so slabs lie there.
const raceEnabled = true

func mapAligned(size int) (mapping, mem []byte) {
	mapping = make([]byte, 2*size)
	at := alignUp(mapping)
	return mapping, mapping[at : at+size : at+size]
}

func unmap([]byte)   {}
func discard([]byte) {}

func hugePages([]byte, bool) {}

// protect overwrites what a late reader would see; it makes that reader a data race.
func protect(b []byte) {
	b[0] = 0xDB
	for n := 1; n < len(b); n *= 2 {
		copy(b[n:], b[:n])
	}
}

func unprotect([]byte) {}
