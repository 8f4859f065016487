package main

import (
	"fmt"
	"log/slog"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/fs"
)

const (
	// terminalTick is how often progress is drawn on a terminal: often enough
	// to look alive, seldom enough to be read.
	terminalTick = 200 * time.Millisecond
	// logTick is how often progress is logged where nobody watches.
	logTick = time.Minute
)

// describe says what S3 does not hold yet.
func describe(u fs.Unwritten) string {
	text := humanSize(u.Bytes)
	switch u.Uploads {
	case 0:
		return text
	case 1:
		return text + " and 1 unfinished upload"
	}
	return fmt.Sprintf("%s and %d unfinished uploads", text, u.Uploads)
}

// waitingFor says what an unmount waits for.
func waitingFor(u fs.Unwritten) string {
	if u == (fs.Unwritten{}) {
		return "everything is in S3; waiting for programs to close their files"
	}
	return "writing to S3: " + describe(u) + " left"
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

func (p *progress) show(left fs.Unwritten) {
	if p.v.terminal == nil {
		p.v.manager.stopping(waitingFor(left))
		p.v.log.Info("not unmounted yet", slog.String("state", waitingFor(left)))
		return
	}
	fmt.Fprintf(p.v.terminal, "\r\x1b[K%s (interrupt again to give up)", waitingFor(left))
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
