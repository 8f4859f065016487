package s3

import "time"

// lowWater finds how many bytes of a large body must have arrived before its
// reader is woken (SO_RCVLOWAT, socket(7)). Without it a reader that keeps up
// with the line wakes for nearly every segment, and each time also does the
// work of the line: an 8 MiB GET took 25 reads and 4.2 ms of CPU, and takes 5
// reads and 2.7 ms with it.
//
// The mark follows the line: it doubles while so many bytes come within
// quickRead, and shrinks when they take longer than slowRead. So nobody waits
// long for bytes that are already there, and a slow line has no mark.
type lowWater struct{ mark int }

const (
	// quickRead is far more than a wake-up costs (5 to 50 µs), and more than
	// four busy readers wait for each other on two processors: at 2 ms half of
	// the gain was lost there. At 90 MB/s it holds 450 kB.
	quickRead = 5 * time.Millisecond
	slowRead  = 4 * quickRead
	// maxLowWater: 1 MiB saves half as much, 8 MiB no more but holds the line up.
	maxLowWater = 4 << 20
)

// want is the mark for a read of at most n bytes; 1 is none.
func (l *lowWater) want(n int) int {
	if n <= connBuffer || l.mark <= connBuffer {
		return 1
	}
	return min(l.mark, n)
}

// took learns from a read of n bytes.
func (l *lowWater) took(n int, d time.Duration) {
	switch {
	case d > slowRead:
		l.mark = max(connBuffer, int(float64(l.mark)*float64(slowRead)/float64(d)))
	case d <= quickRead && n >= l.mark && n >= connBuffer:
		l.mark = min(2*max(l.mark, connBuffer), maxLowWater)
	}
}
