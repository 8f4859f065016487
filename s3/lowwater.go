package s3

import "time"

// lowWater chooses how many bytes of a large body must arrive before its reader wakes
// (SO_RCVLOWAT, socket(7)). Without it a reader that is as fast as the network wakes
// for nearly every segment: an 8 MiB GET took 25 reads and 4.2 ms of CPU, and takes 5
// reads and 2.7 ms with it.
//
// The mark follows the rate: it doubles while a read of mark bytes takes at most
// quickRead, and shrinks if a read takes longer than slowRead. Therefore no reader
// waits long for bytes that have arrived, and slow connections have no mark.
type lowWater struct{ mark int }

const (
	// quickRead is much longer than a wake-up (5 to 50 µs) and longer than four busy
	// readers wait for each other on two processors: 2 ms lost half of the gain there.
	// At 90 MB/s, 450 kB arrive in this time.
	quickRead = 5 * time.Millisecond
	slowRead  = 4 * quickRead
	// maxLowWater is the largest mark in bytes. A mark of 1 MiB saves half as much, and
	// 8 MiB saves no more but delays the sender.
	maxLowWater = 4 << 20
)

// want returns the mark for a read of at most n bytes. 1 means no mark.
func (l *lowWater) want(n int) int {
	if n <= connBuffer || l.mark <= connBuffer {
		return 1
	}
	return min(l.mark, n)
}

// took adjusts the mark after a read of n bytes that took d.
func (l *lowWater) took(n int, d time.Duration) {
	switch {
	case d > slowRead:
		l.mark = max(connBuffer, int(float64(l.mark)*float64(slowRead)/float64(d)))
	case d <= quickRead && n >= l.mark && n >= connBuffer:
		l.mark = min(2*max(l.mark, connBuffer), maxLowWater)
	}
}
