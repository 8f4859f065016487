package disk

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// restAfter is how long the cache does not write to a full or broken disk. Each
	// attempt to write scans all files for victims, and a mount that reads fast would
	// attempt it a thousand times per second.
	restAfter = 10 * time.Second
	// warnEvery is the shortest interval between two reports of one kind of read error.
	warnEvery = time.Minute
)

// errNoRoom means that nothing could be evicted to make room.
var errNoRoom = errors.New("there is no room, and nothing can be evicted")

// Unusable reports whether an error means that a disk takes no files because it is
// full, read-only or broken. A mount then works without a disk cache.
func Unusable(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO}, func(kind error) bool { return errors.Is(err, kind) })
}

// trouble describes the last errors of the disk. Cache.mu guards it.
type trouble struct {
	until time.Time            // no writes before this time
	said  bool                 // an error was logged since the last successful write
	warns map[string]time.Time // the time of the last report of each kind
}

// resting reports whether writes pause after an error.
func (d *Cache) resting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.trouble.until)
}

// rest makes writes pause after err. It logs err, unless an earlier error was
// logged and no block has been written since.
func (d *Cache) rest(err error) {
	d.mu.Lock()
	said := d.trouble.said || d.closed
	d.trouble.said, d.trouble.until = true, time.Now().Add(restAfter)
	d.mu.Unlock()
	if !said {
		d.o.Logger.Warn("disk cache: cannot write blocks; the cache tries again every 10 seconds", slog.Any("error", err))
	}
}

// recovered records that a block was written.
func (d *Cache) recovered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble.said = false
}

// warn logs an error of a read, at most once per kind and warnEvery. A reader sees
// the error only as a miss.
func (d *Cache) warn(what string, err error) {
	if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, os.ErrClosed) {
		return
	}
	d.mu.Lock()
	last, again := d.trouble.warns[what]
	again = again && time.Since(last) < warnEvery
	if !again {
		if d.trouble.warns == nil {
			d.trouble.warns = make(map[string]time.Time)
		}
		d.trouble.warns[what] = time.Now()
	}
	d.mu.Unlock()
	if !again {
		d.o.Logger.Warn("disk cache: "+what, slog.Any("error", err))
	}
}
