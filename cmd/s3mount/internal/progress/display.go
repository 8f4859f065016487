package progress

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/fs"
)

const (
	// Tick is the time between two calls of Show. A terminal then looks alive, and a
	// person can still read it.
	Tick = 200 * time.Millisecond
	// LineTick is the time between two lines if there is no terminal.
	LineTick = time.Minute
	// maxFiles is the number of files that have a bar of their own. A small
	// terminal has room for them.
	maxFiles = 8
)

// State is the progress of an operation.
type State struct {
	// Text is a sentence, such as "writing to S3: 3.0 MiB left".
	Text string
	// Left is the number of bytes that are left.
	Left int64
	// Files are the files that are being transferred.
	Files []fs.Upload
}

// Display shows states. It belongs to one goroutine.
type Display struct {
	line func(text string) // nil on a terminal
	next time.Time         // when the next line is due

	terminal io.Writer
	columns  func() int
	total    int64 // the largest number of bytes that were left
	drawn    int   // lines on the terminal
}

// New returns a display for a command. It draws on out if that is a terminal, and
// otherwise writes lines that name the program.
func New(out *os.File) *Display {
	if IsTerminal(out) {
		return OnTerminal(out)
	}
	return Lines(func(line string) { fmt.Fprintf(out, "s3mount: %s\n", line) })
}

// OnTerminal returns a display that redraws a few lines. out is a terminal.
func OnTerminal(out io.Writer) *Display {
	d := &Display{terminal: out, columns: func() int { return 80 }}
	if f, ok := out.(*os.File); ok {
		d.columns = func() int { columns, _ := TerminalSize(f); return columns }
	}
	return d
}

// Lines returns a display that calls line every LineTick.
func Lines(line func(text string)) *Display {
	return &Display{line: line, next: time.Now().Add(LineTick)}
}

// Show shows the state.
func (d *Display) Show(s State) {
	if d.line == nil {
		d.draw(d.lines(s))
		return
	}
	if now := time.Now(); !now.Before(d.next) {
		d.next = now.Add(LineTick)
		d.line(text.Printable(s.Text))
	}
}

// Close leaves a clean terminal. Show may be called again.
func (d *Display) Close() { d.draw(nil) }

// lines returns the lines for a terminal.
func (d *Display) lines(s State) []string {
	d.total = max(d.total, s.Left)
	all := []string{text.Printable(s.Text)}
	if d.total > 0 {
		all[0] = text.Bar(d.total-s.Left, d.total) + " " + all[0]
	}
	for i, f := range s.Files {
		if i == maxFiles {
			return append(all, fmt.Sprintf("and %d more files", len(s.Files)-i))
		}
		all = append(all, FileLine(f))
	}
	return all
}

// FileLine describes one file that is being transferred.
func FileLine(f fs.Upload) string {
	return fmt.Sprintf("%s %s of %s  %s", text.Bar(f.Sent, f.Size), text.Size(f.Sent), text.Size(f.Size), text.Printable(f.Key))
}

// The control sequences of a terminal (ECMA-48).
const (
	firstColumn = "\r"
	lineUp      = "\x1b[A"
	clearRest   = "\x1b[J"
)

// draw replaces the lines that were drawn before.
func (d *Display) draw(lines []string) {
	if d.line != nil || d.drawn == 0 && len(lines) == 0 {
		return
	}
	var b strings.Builder
	b.WriteString(firstColumn + strings.Repeat(lineUp, max(d.drawn-1, 0)) + clearRest)
	for i, line := range lines {
		if i > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString(cut(line, d.columns()-1)) // a full line would move the cursor to the next
	}
	d.drawn = len(lines)
	_, _ = io.WriteString(d.terminal, b.String()) // the operation continues without the display
}

// cut shortens a line to a number of columns.
func cut(line string, columns int) string {
	if runes := []rune(line); len(runes) > columns {
		return string(runes[:max(columns, 0)])
	}
	return line
}
