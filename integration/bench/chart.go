package main

import "fmt"

// chart is a picture of one row over one link: a bar for each tool.
type chart struct {
	Ms     int
	Title  string // for who cannot see it
	Height int
	Bars   []bar
}

// bar is a tool's time in the coordinates of the picture.
type bar struct {
	Tool  string
	Class string // of the style sheet
	Y     int
	Text  int     // y of the texts
	Done  float64 // width until the work was done
	Held  float64 // width until S3 held it; at least Done
	End   float64 // x of the label
	Label string
}

// The picture is chartWidth wide, in CSS pixels.
const (
	chartWidth = 640
	nameWidth  = 70  // left of the bars
	labelWidth = 190 // right of the longest bar
	barHeight  = 18
	barStep    = 24
	textDrop   = 13 // from the top of a bar to the foot of its text
)

// chart draws the cells of a row. A tool that fails has a bar of no length.
func (rep *report) chart(row string, ms int) chart {
	c := chart{Ms: ms, Title: fmt.Sprintf("%s at %d ms:", row, ms)}
	longest := 0.0
	for _, r := range rep.results {
		if r.row == row && r.ms == ms && r.err == "" {
			longest = max(longest, r.durable())
		}
	}
	for _, tool := range rep.tools {
		r, ok := rep.find(row, tool, ms)
		if !ok {
			continue
		}
		b := bar{Tool: tool, Class: "peer", Y: len(c.Bars) * barStep, Label: r.timeCell()}
		switch tool {
		case toolOwn, toolJournal:
			b.Class = "own"
		case toolRaw:
			b.Class = "raw"
		}
		if r.err == "" {
			const room = chartWidth - nameWidth - labelWidth
			b.Done, b.Held = room*r.seconds/max(longest, 1e-9), room*r.durable()/max(longest, 1e-9)
			b.Label = fmt.Sprintf("%s s, %d requests", r.timeCell(), r.requests.Total())
		}
		b.Text, b.End = b.Y+textDrop, nameWidth+b.Held+6
		c.Title += fmt.Sprintf(" %s %s;", tool, b.Label)
		c.Bars = append(c.Bars, b)
	}
	c.Height = len(c.Bars) * barStep
	return c
}

// For the template.

// Width is that of the picture.
func (chart) Width() int { return chartWidth }

// X is where the bars begin.
func (bar) X() int { return nameWidth }

// NameX is where the names end.
func (bar) NameX() int { return nameWidth - 6 }

// Height is that of a bar.
func (bar) Height() int { return barHeight }
