package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// terminalTick is how often progress is drawn on a terminal: often enough
	// to look alive, seldom enough to be read.
	terminalTick = 200 * time.Millisecond
	// logTick is how often progress is logged where nobody watches.
	logTick = time.Minute
)

// unwritten is what S3 does not hold yet.
type unwritten struct {
	files int
	bytes int64
}

func (u unwritten) String() string {
	files := "files"
	if u.files == 1 {
		files = "file"
	}
	return fmt.Sprintf("%d %s, %s", u.files, files, humanSize(u.bytes))
}

// progress shows what is left to write, by redrawing a line on a terminal or
// by a record now and then.
type progress struct {
	v      *server
	ticker *time.Ticker
	drawn  bool
}

func newProgress(v *server) *progress {
	every := logTick
	if v.terminal != nil {
		every = terminalTick
	}
	return &progress{v: v, ticker: time.NewTicker(every)}
}

func (p *progress) tick() <-chan time.Time { return p.ticker.C }

func (p *progress) show(left unwritten) {
	if p.v.terminal == nil {
		p.v.log.Info("still writing to S3", slog.Any("unwritten", left))
		return
	}
	fmt.Fprintf(p.v.terminal, "\r\x1b[Kwriting to S3: %s left (interrupt again to give up)", left)
	p.drawn = true
}

// stop leaves the terminal with a clean line.
func (p *progress) stop() {
	p.ticker.Stop()
	if p.drawn {
		fmt.Fprint(p.v.terminal, "\r\x1b[K")
		p.drawn = false
	}
}

// humanSize writes n bytes for people, in powers of 1024.
func humanSize(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	value, prefix := float64(n)/unit, 0
	const prefixes = "KMGTPE"
	for value >= unit && prefix < len(prefixes)-1 {
		value, prefix = value/unit, prefix+1
	}
	return fmt.Sprintf("%.1f %ciB", value, prefixes[prefix])
}

// isTerminal tells whether somebody may be watching f.
func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}
