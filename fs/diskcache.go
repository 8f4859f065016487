package fs

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/cache/disk"
)

const (
	// defaultCacheSize is much larger than the data of one program, and small compared
	// with current disks.
	defaultCacheSize = 10 << 30
	// defaultCacheMinFree leaves space for other programs, even if the disk is smaller
	// than the cache.
	defaultCacheMinFree = 1 << 30
	// minCacheSize is the minimum of disk.Options.
	minCacheSize = 16 << 20
)

// validateCache returns an error that names the first invalid option of the disk cache.
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

// CacheUnusable reports whether an error of Options.CacheDir is no reason to fail: the
// disk is full, read-only or broken. A mount then works without a disk cache.
func CacheUnusable(err error) bool { return disk.Unusable(err) }

// WithoutCache returns the options of the same mount without a disk cache.
func (o Options) WithoutCache() Options {
	o.CacheDir, o.CacheSize, o.CacheMinFree = "", defaultCacheSize, defaultCacheMinFree
	return o
}

// newBlocks makes the cache of blocks: in memory and, if the options say so, below
// that on disk.
func (o Options) newBlocks(pool *cache.Pool) (*cache.Blocks, error) {
	blocks := cache.NewBlocks(pool)
	if o.CacheDir == "" {
		return blocks, nil
	}
	d, err := disk.Open(disk.Options{
		Dir: o.CacheDir, Size: o.CacheSize, MinFree: o.CacheMinFree,
		Namespace: strings.TrimSuffix(o.Endpoint, "/") + " " + o.Bucket,
		Logger:    o.Logger,
	})
	if CacheUnusable(err) {
		o.Logger.Warn("the mount has no disk cache", slog.String("directory", o.CacheDir), slog.Any("error", err))
		return blocks, nil
	}
	if err != nil {
		return nil, fmt.Errorf("--cache %s: %w", o.CacheDir, err)
	}
	blocks.UseDisk(d)
	return blocks, nil
}
