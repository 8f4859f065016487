package commands

import (
	"io"
	"os"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/progress"
)

// palette colours text, or leaves it plain.
type palette bool

// paletteFor returns the palette for an output. It has colours only if the output
// is a terminal and NO_COLOR is empty (https://no-color.org).
func paletteFor(out io.Writer) palette {
	f, ok := out.(*os.File)
	return palette(ok && progress.IsTerminal(f) && os.Getenv("NO_COLOR") == "")
}

// The control sequences that select a colour (ECMA-48, SGR).
const (
	styleBold   = "\x1b[1m"
	styleYellow = "\x1b[33m"
	stylePlain  = "\x1b[m"
)

func (p palette) bold(s string) string { return p.style(styleBold, s) }

func (p palette) yellow(s string) string { return p.style(styleYellow, s) }

// style ends the style with each line, so that a line can be shown alone.
func (p palette) style(sequence, s string) string {
	if !p {
		return s
	}
	return sequence + strings.ReplaceAll(s, "\n", stylePlain+"\n"+sequence) + stylePlain
}

// cutColumns shortens a line to a number of columns. Control sequences of a palette
// take no column and are never cut.
func cutColumns(line string, columns int) string {
	var b strings.Builder
	inSequence := false
	for _, r := range line {
		switch {
		case inSequence:
			b.WriteRune(r)
			inSequence = r != 'm'
		case r == '\x1b':
			b.WriteRune(r)
			inSequence = true
		case columns > 0:
			b.WriteRune(r)
			columns--
		}
	}
	return b.String()
}
