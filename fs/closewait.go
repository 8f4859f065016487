package fs

import (
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	// closeHintFiles and closeHintTime are the number of closes and the time after which a
	// mount without a journal says that a journal would have saved the waits.
	closeHintFiles = 300
	closeHintTime  = 5 * time.Second
	// closePause ends a series of closes. A person who saves a file now and then does not
	// need a journal.
	closePause = 10 * time.Second
)

// closeWaits measures how long programs wait for S3 in series of closes of small files, one
// after the other. Closes that overlap do not count: there the program is not held up by each.
type closeWaits struct {
	log *slog.Logger

	mu      sync.Mutex
	running int
	alone   bool // no other close has run since the running one began
	ended   time.Time
	series  CloseStats
	longest CloseStats // the series with the longest wait
	said    bool
}

// CloseStats describe a series of closes of small files, one after the other, each of which
// waited for S3.
type CloseStats struct {
	Files  int     `json:"files"`
	Waited float64 `json:"waited_seconds"`
}

// begin notes that a close begins to wait for S3.
func (c *closeWaits) begin() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running++
	c.alone = c.running == 1
}

// end notes that a close has waited since start for a small file.
func (c *closeWaits) end(start time.Time) {
	now := time.Now()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.running--
	if start.Sub(c.ended) > closePause {
		c.series = CloseStats{}
	}
	c.ended = now
	if !c.alone {
		return
	}
	c.series.Files++
	c.series.Waited += now.Sub(start).Seconds()
	if c.series.Waited > c.longest.Waited {
		c.longest = c.series
	}
	if c.said || !c.longest.Long() {
		return
	}
	c.said = true
	c.log.Info(fmt.Sprintf("%d small files were closed one after the other, and each close waited for S3; "+
		"with --durability=journal a close waits for the local disk only (s3mount help semantics)", c.longest.Files),
		slog.Duration("waited", time.Duration(c.longest.Waited*float64(time.Second)).Round(time.Second/10)))
}

// longestSeries returns the series with the longest wait so far.
func (c *closeWaits) longestSeries() CloseStats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.longest
}

// Long reports whether the series is so long that a journal is worth a thought.
func (s CloseStats) Long() bool {
	return s.Files >= closeHintFiles && s.Waited >= closeHintTime.Seconds()
}
