package fs

import "time"

// Queue describes acknowledged work that S3 has not executed: the journal of a mount
// with Options.Durability "journal". Without a journal it is empty. Mount.Drain returns
// when it is empty.
type Queue struct {
	Count  int       // files to write, names to remove or rename, attributes to set
	Bytes  int64     // of the files
	Oldest time.Time // time of the oldest; zero if there is none
}

// Queue returns the current content of the journal. It makes no request.
func (m *Mount) Queue() Queue {
	s := m.f.writes.Stats()
	return Queue{Count: s.Queued, Bytes: s.QueuedBytes, Oldest: s.QueuedSince}
}
