package writeback

import (
	"fmt"
	"os"
	"time"
)

// replayLog is a segment that a replay adds to the journal of a dead mount. It records which
// records have been carried out. A journal stays until all its records are done, and carrying
// out a record twice would undo later changes.
type replayLog struct {
	dir  string
	turn chan struct{} // held by the goroutine that appends
	file *os.File      // nil until the first record
	end  int64
}

func newEndings(dir string) *replayLog { return &replayLog{dir: dir, turn: make(chan struct{}, 1)} }

// replayLogPattern sorts behind the segments of the mount itself.
const replayLogPattern = "replayed-*.journal"

// append records that l is done.
func (e *replayLog) append(l left) error {
	head, err := (&record{Kind: recordDone, File: l.File, Seq: l.Seq, Time: time.Now()}).encodeHead()
	if err != nil {
		return err
	}
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.file == nil {
		if e.file, err = os.CreateTemp(e.dir, replayLogPattern); err != nil { // 0600
			return fmt.Errorf("make journal segment: %w", err)
		}
	}
	end, err := appendRecord(e.file, e.end, head, nil)
	if err != nil {
		return fmt.Errorf("write journal: %w", err)
	}
	e.end = end
	return nil
}

func (e *replayLog) close() {
	if e.file != nil {
		_ = e.file.Close() // nobody waits for the disk
	}
}

// logReplayed records that l is done, and logs an error.
func (m *Manager) logReplayed(ended *replayLog, l left) {
	if err := ended.append(l); err != nil {
		m.o.Logger.Warn("cannot record in the journal that a record was replayed", "key", string(l.Key), "error", err)
	}
}
