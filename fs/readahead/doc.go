// Package readahead turns reads of open files into few, large, early GETs: it
// keeps a window ahead of each reader filled and answers reads out of the block
// cache.
package readahead
