package cache

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

// DiskUnusable reports whether an error says that a disk takes no files because it is
// full, read-only or broken. Such a disk is no reason to do without the rest.
func DiskUnusable(err error) bool {
	return slices.ContainsFunc([]error{unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO}, func(kind error) bool { return errors.Is(err, kind) })
}

// diskTrouble is what went wrong with a disk; it is guarded by Disk.mu.
type diskTrouble struct {
	until time.Time            // nothing is written before
	said  bool                 // since the last block that was written
	warns map[string]time.Time // the last report of each kind
}

// resting tells whether the disk is left alone now.
func (d *Disk) resting() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.trouble.until)
}

// rest leaves the disk alone for a while after err, and reports it once until a
// block is written again.
func (d *Disk) rest(err error) {
	d.mu.Lock()
	said := d.trouble.said || d.closed
	d.trouble.said, d.trouble.until = true, time.Now().Add(restAfter)
	d.mu.Unlock()
	if !said {
		d.o.Logger.Warn("disk cache: cannot keep what is read; it is tried again from time to time", slog.Any("error", err))
	}
}

// recovered tells that a block was written.
func (d *Disk) recovered() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trouble.said = false
}

// warn reports a failure in reading the disk, which a reader sees only as a miss;
// each kind once in warnEvery.
func (d *Disk) warn(what string, err error) {
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
