package fs

// Unwritten describes the unsaved data of open files.
type Unwritten struct {
	Bytes   int64 // of files that S3 does not hold
	Uploads int64 // multipart uploads under way
}

// Unwritten returns the data that would be lost if the process ended now.
func (m *Mount) Unwritten() Unwritten {
	s := m.f.writes.Stats()
	return Unwritten{Bytes: s.Unsaved, Uploads: s.Uploads}
}
