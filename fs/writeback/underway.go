package writeback

import (
	"cmp"
	"slices"
)

// Upload is a file on its way to S3.
type Upload struct {
	Key  string `json:"key"`
	Size int64  `json:"size"` // bytes of the file, so far
	Sent int64  `json:"sent"` // of them, given to requests or copied inside S3
}

// Uploads returns the files that are on their way to S3: those with a commit
// under way, and those that are sent while they are written; by key.
func (m *Manager) Uploads() []Upload {
	var list []Upload
	for _, f := range m.open() {
		if u, ok := f.underWay(); ok {
			list = append(list, u)
		}
	}
	slices.SortFunc(list, func(a, b Upload) int { return cmp.Compare(a.Key, b.Key) })
	return list
}

// underWay tells how far the upload of f is, if there is one.
func (f *File) underWay() (Upload, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	u := Upload{Key: f.key, Size: f.size}
	switch {
	case f.run != nil:
		u.Key, u.Size = f.run.key, f.run.size()
	case f.stream == nil:
		return u, false
	}
	// Parts that were written again are sent again.
	u.Sent = min(max(f.sent.Load(), 0), u.Size)
	return u, true
}
