package readahead

import (
	"io"

	"github.com/s3mount/s3mount/cache"
)

// Keep puts the bytes of a version that this mount has just written into the cache, as far
// as there is room. The next Open then only revalidates the version. Keep stops at an error
// of bytes and keeps the bytes before it.
func (m *Manager) Keep(v Version, bytes io.Reader) {
	if !strong(v.ETag) {
		return // Open could not revalidate it
	}
	obj := m.blocks.Object(v.Key, v.ETag, v.Size)
	defer obj.Close()
	fill := obj.Claim(0, int(roundUp(v.Size)/cache.BlockSize), false)
	if fill == nil {
		return
	}
	defer fill.Abandon(nil)
	for b := fill.Next(); len(b) > 0; b = fill.Next() {
		if _, err := io.ReadFull(bytes, b); err != nil {
			return
		}
		fill.Advance(len(b))
	}
}
