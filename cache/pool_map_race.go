//go:build race

package cache

// The race detector sees only memory of the Go heap, so under it slabs lie there.

func mapAligned(size int) (mapping, mem []byte) {
	mapping = make([]byte, 2*size)
	at := alignUp(mapping)
	return mapping, mapping[at : at+size : at+size]
}

func unmap([]byte)   {}
func discard([]byte) {}

// protect overwrites what a late reader would see; it makes that reader a data race.
func protect(b []byte) {
	for i := range b {
		b[i] = 0xDB
	}
}

func unprotect([]byte) {}
