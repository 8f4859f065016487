package writeback

import (
	"cmp"
	"slices"
)

// Upload describes a file that is being uploaded.
type Upload struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes of the file so far
	Sent int64  `json:"sent"` // bytes given to requests or copied inside S3
}

// Uploads returns the files that are being uploaded, by a commit or by a stream, sorted by key.
func (m *Manager) Uploads() []Upload {
	var list []Upload
	for _, f := range m.open() {
		if u, ok := f.progress(); ok {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b Upload) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// progress returns the progress of the upload of f, if there is one.
func (f *File) progress() (Upload, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := Upload{Key: f.key, Size: f.size}
	switch {
	case f.run != nil:
		u.Key, u.Size = f.run.key, f.run.size()
	case f.stream == nil:
		return u, false
	}
	// Parts that were rewritten are sent twice.
	u.Sent = min(max(f.sent.Load(), 0), u.Size)
	return u, true
}
