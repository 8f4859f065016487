package main

import "fmt"

// chart is a bar chart of one row over one link, with a bar for each tool.
type chart struct {
	Ms     int
	Title  string // description for screen readers
	Height int
	Bars   []bar
}

// bar is the time of a tool in the coordinates of the chart.
type bar struct {
	Tool  string
	Class string // class in the style sheet
	// top edge
	Y     int
	Text  int     // baseline of the texts
	Done  float64 // width until the work was done
	Held  float64 // width until S3 had all data; at least Done
	End   float64 // left edge of the label
	Label string
}

// These are dimensions of the chart in CSS pixels.
const (
	chartWidth = 640
	nameWidth  = 70  // to the left of the bars
	labelWidth = 190 // to the right of the longest bar
	barHeight  = 18
	barStep    = 24
	textDrop   = 13 // from the top of a bar to the baseline of its text
)

// chart returns the chart of a row. The bar of a failed tool has no length.
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

// The template calls the following methods.

// Width returns the width of the chart.
func (chart) Width() int { return chartWidth }

// X returns the left edge of the bars.
func (bar) X() int { return nameWidth }

// NameX returns the right edge of the names.
func (bar) NameX() int { return nameWidth - 6 }

// Height returns the height of a bar.
func (bar) Height() int { return barHeight }
