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
	// restAfter is how long a disk that is full or broken is left alone before it
	// is tried with a block again. Each try looks for something to evict, in all
	// files, and a mount that reads fast would try a thousand times in a second.
	restAfter = 10 * time.Second
	// warnEvery is how often the same trouble in reading is reported.
	warnEvery = time.Minute
)

// errNoRoom says that nothing could be evicted to make room.
var errNoRoom = errors.New("there is no room, and nothing that could be evicted")

// Unusable reports whether an error means that a disk takes no files because it is
// full, read-only or broken. A mount then works without a disk cache.
func Unusable(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO}, func(kind error) bool { return errors.Is(err, kind) })
}

// trouble describes the last errors of the disk. Cache.mu guards it.
type trouble struct {
	until time.Time            // nothing is written before
	said  bool                 // since the last block that was written
	warns map[string]time.Time // the last report of each kind
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
		d.o.Logger.Warn("disk cache: cannot keep what is read; it is tried again from time to time", slog.Any("error", err))
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
