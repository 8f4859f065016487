package readahead

import (
	"io"

	"github.com/s3mount/s3mount/cache"
)

// Keep puts the bytes of a version that this mount has just made into the cache,
// as far as there is room: the next Open then asks S3 whether it still holds,
// and moves no byte. An error of bytes ends it; what came before is kept.
func (m *Manager) Keep(v Version, bytes io.Reader) {
	if !strong(v.ETag) {
		return // Open could not ask for it
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
