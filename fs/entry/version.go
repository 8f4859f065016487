package entry

import "time"

// OwnSlack is the largest difference between two Last-Modified times of one version
// that this mount wrote: the time of the server's clock in the answer to the write,
// and the time in a listing.
const OwnSlack = 2 * time.Second

// SameVersion reports whether two entries have the same bytes, written at the same
// time. Some answers give Last-Modified in whole seconds, others do not. For a version
// that this mount wrote itself, the times may differ by OwnSlack.
func SameVersion(a, b *Entry, own bool) bool {
	if a.ETag != b.ETag || a.Size != b.Size {
		return false
	}
	if own {
		return b.LastModified.Sub(a.LastModified).Abs() <= OwnSlack
	}
	return a.LastModified.Unix() == b.LastModified.Unix()
}

// WriteTime returns the Last-Modified that a listing will most likely show for a write
// whose answer has this Date.
func WriteTime(date time.Time) time.Time {
	if date.IsZero() {
		return time.Now().Truncate(time.Second)
	}
	return date
}
