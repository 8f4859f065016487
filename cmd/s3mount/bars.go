package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/s3mount/s3mount/cmd/s3mount/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

const (
	// maxBars is how many files have a bar of their own: what a small terminal
	// has room for beside the bar of everything.
	maxBars = 8
	// nameColumn is the width of what stands before a bar.
	nameColumn = 28
)

// display shows how far something is.
type display interface {
	show(p control.Progress)
	close() // leaves a clean line
}

// newDisplay draws bars on a terminal; elsewhere, as in the log of a script, it
// is a line per minute.
func newDisplay(out *os.File, what string) display {
	if isTerminal(out) {
		return newBars(out, what)
	}
	return &lines{out: out, what: what, next: time.Now().Add(logTick)}
}

// lines is a display for logs.
type lines struct {
	out  io.Writer
	what string
	next time.Time
}

func (l *lines) show(p control.Progress) {
	if now := time.Now(); !now.Before(l.next) {
		l.next = now.Add(logTick)
		fmt.Fprintf(l.out, "s3mount: %s: %s left, %s under way\n", l.what, humanSize(p.Bytes), count(len(p.Uploads), "file"))
	}
}

func (l *lines) close() {}

// bars is a display for terminals: a bar of everything, and one for each of the
// first files.
type bars struct {
	p     *mpb.Progress
	all   *mpb.Bar
	total int64 // the most that was to do at any time
	files map[string]*mpb.Bar
}

func newBars(out io.Writer, what string) *bars {
	b := &bars{p: mpb.New(mpb.WithOutput(out), mpb.WithWidth(40), mpb.WithRefreshRate(terminalTick)), files: map[string]*mpb.Bar{}}
	b.all = b.add(what, -1) // above those of the files
	return b
}

func (b *bars) add(name string, priority int) *mpb.Bar {
	if len(name) > nameColumn {
		name = "..." + name[len(name)-nameColumn+3:]
	}
	options := []mpb.BarOption{
		mpb.PrependDecorators(decor.Name(text.Printable(name), decor.WC{W: nameColumn, C: decor.DindentRight})),
		mpb.AppendDecorators(decor.CountersKibiByte("% .1f / % .1f")),
		mpb.BarRemoveOnComplete(),
	}
	if priority != 0 {
		options = append(options, mpb.BarPriority(priority))
	}
	return b.p.AddBar(0, options...)
}

func (b *bars) show(p control.Progress) {
	b.total = max(b.total, p.Bytes)
	b.all.SetTotal(b.total+1, false) // never complete by itself
	b.all.SetCurrent(b.total - p.Bytes)
	there := map[string]bool{}
	for _, u := range p.Uploads {
		there[u.Key] = true
		f := b.files[u.Key]
		if f == nil {
			if len(b.files) == maxBars {
				continue
			}
			f = b.add(u.Key, 0)
			b.files[u.Key] = f
		}
		f.SetTotal(u.Size+1, false)
		f.SetCurrent(u.Sent)
	}
	for key, f := range b.files {
		if !there[key] {
			f.Abort(true)
			delete(b.files, key)
		}
	}
}

func (b *bars) close() {
	for _, f := range b.files {
		f.Abort(true)
	}
	b.all.Abort(true)
	b.p.Wait()
}
