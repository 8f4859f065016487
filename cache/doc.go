// Package cache holds clean knowledge: blocks of object data in memory and on
// disk, and the metadata LRU. Anything in it may vanish at any time; it knows
// neither S3 nor the filesystem.
package cache
