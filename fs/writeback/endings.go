package writeback

import (
	"fmt"
	"os"
	"time"
)

// endings is a segment that a replay adds to the journal of a dead mount. It says
// what has been carried out: a journal stays while anything in it has not, and
// what is done twice would undo what came in between.
type endings struct {
	dir  string
	turn chan struct{} // held by the one who appends
	file *os.File      // nil until the first note
	end  int64
}

func newEndings(dir string) *endings { return &endings{dir: dir, turn: make(chan struct{}, 1)} }

// endingsPattern sorts behind the segments of the mount itself.
const endingsPattern = "replayed-*.journal"

// note says that l is done.
func (e *endings) note(l left) error {
	head, err := (&record{Kind: recordDone, File: l.File, Seq: l.Seq, Time: time.Now()}).encodeHead()
	if err != nil {
		return err
	}
	e.turn <- struct{}{}
	defer func() { <-e.turn }()
	if e.file == nil {
		if e.file, err = os.CreateTemp(e.dir, endingsPattern); err != nil { // 0600
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

func (e *endings) close() {
	if e.file != nil {
		_ = e.file.Close() // nobody waits for the disk
	}
}

// noteEnded notes that l is done.
func (m *Manager) noteEnded(ended *endings, l left) {
	if err := ended.note(l); err != nil {
		m.o.Logger.Warn("cannot note in the journal what was replayed", "key", string(l.Key), "error", err)
	}
}
