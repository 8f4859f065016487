//go:build race

package cache

import (
	"crypto/subtle"
	"slices"
)

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
// The detector, which takes its time for each byte, is shown one of each page: whoever
// reads blocks reads all of a page, or its start.
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
