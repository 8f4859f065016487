//go:build race

package cache

import (
	"crypto/subtle"
	"slices"
)

// raceEnabled reports whether the race detector is active. The detector watches only
// the Go heap, so slabs are allocated there.
const raceEnabled = true

func mapAligned(size int) (mapping, mem []byte) {
	mapping = make([]byte, 2*size)
	at := alignUp(mapping)
	return mapping, mapping[at : at+size : at+size]
}

func unmap([]byte)   {}
func discard([]byte) {}

func hugePages([]byte, bool) {}

// protect overwrites b, so that a late read is a data race and sees wrong bytes. The
// detector is slow for each byte, so only the first byte of each page is written where
// the detector sees it. Readers of blocks read whole pages, or their starts.
func protect(b []byte) {
	for i := 0; i < len(b); i += minClass {
		b[i] = 0xDB
	}
	var pattern, nothing [minClass]byte
	for i := range pattern {
		pattern[i] = 0xDB
	}
	for page := range slices.Chunk(b, minClass) {
		subtle.XORBytes(page, pattern[:], nothing[:]) // a copy that the detector does not see
	}
}

func unprotect([]byte) {}
