package fs

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/s3mount/s3mount/cache"
)

const (
	// defaultCacheSize is far above what one program works on at a time, and a
	// small part of today's disks.
	defaultCacheSize = 10 << 30
	// defaultCacheMinFree leaves the rest of the machine able to work, also
	// where the disk is smaller than that.
	defaultCacheMinFree = 1 << 30
	// minCacheSize is the least that cache.DiskOptions takes: a few large
	// objects in part.
	minCacheSize = 16 << 20
)

// validateCache tells the first option of the disk cache that cannot be.
func (o Options) validateCache() error {
	switch {
	case o.CacheDir == "" && o.CacheSize != defaultCacheSize:
		return fmt.Errorf("--cache-size %d: needs --cache", o.CacheSize)
	case o.CacheDir == "" && o.CacheMinFree != defaultCacheMinFree:
		return fmt.Errorf("--cache-min-free %d: needs --cache", o.CacheMinFree)
	case o.CacheDir == "":
		return nil
	case !filepath.IsAbs(o.CacheDir):
		return fmt.Errorf("--cache %q: must be an absolute path", o.CacheDir)
	case o.CacheSize < minCacheSize:
		return fmt.Errorf("--cache-size %d: must be at least %d MiB", o.CacheSize, minCacheSize>>20)
	case o.CacheMinFree < 0:
		return fmt.Errorf("--cache-min-free %d: must not be negative", o.CacheMinFree)
	}
	return nil
}

// newBlocks makes the cache of blocks: in memory, and below that on disk if
// the options say so.
func (o Options) newBlocks(pool *cache.Pool) (*cache.Blocks, error) {
	blocks := cache.NewBlocks(pool)
	if o.CacheDir == "" {
		return blocks, nil
	}
	d, err := cache.OpenDisk(cache.DiskOptions{
		Dir: o.CacheDir, Size: o.CacheSize, MinFree: o.CacheMinFree,
		Namespace: strings.TrimSuffix(o.Endpoint, "/") + " " + o.Bucket,
		Logger:    o.Logger,
	})
	if err != nil {
		return nil, fmt.Errorf("--cache %s: %w", o.CacheDir, err)
	}
	blocks.UseDisk(d)
	return blocks, nil
}
