package fs

import "time"

// Queue is what programs were told is done and S3 does not hold yet: the work
// in the journal of a mount with Options.Durability "journal". Without a
// journal it is empty. Mount.Drain returns when it has become empty.
type Queue struct {
	Count  int       // files to write, names to remove or rename, attributes to set
	Bytes  int64     // of the files
	Oldest time.Time // when the first of them was promised; zero if there is none
}

// Queue tells what the journal holds at this moment. It asks nobody and may be
// called as often as one likes.
func (m *Mount) Queue() Queue {
	s := m.f.writes.Stats()
	return Queue{Count: s.Queued, Bytes: s.QueuedBytes, Oldest: s.QueuedSince}
}
