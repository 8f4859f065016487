package fs

// Unwritten is what S3 does not hold of the files that are open.
type Unwritten struct {
	Bytes   int64 // of files that S3 does not hold
	Uploads int64 // multipart uploads under way
}

// Unwritten tells what an end at this moment would lose.
func (m *Mount) Unwritten() Unwritten {
	s := m.f.writes.Stats()
	return Unwritten{Bytes: s.Unsaved, Uploads: s.Uploads}
}
