package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
)

//go:embed report.tmpl
var reportTemplate string

// html returns the report as one HTML page that loads nothing.
func (rep *report) html() ([]byte, error) {
	t, err := template.New("report").Parse(reportTemplate)
	if err != nil {
		return nil, fmt.Errorf("read the template: %w", err)
	}
	var b bytes.Buffer
	if err := t.Execute(&b, rep.page()); err != nil {
		return nil, fmt.Errorf("make the report: %w", err)
	}
	return b.Bytes(), nil
}

// page contains the data of the template.
type page struct {
	*report
	Day, Duration string
	Tools         []string
	Overview      []overviewLine
	Groups        []pageGroup
}

type overviewLine struct {
	Row, What string
	Origin    origin
	Ms        int
	Cells     []overviewCell
	Ahead     string
	Behind    bool // a peer was faster
}

type overviewCell struct {
	Text  string
	Title string // reason of a failure
}

type pageGroup struct {
	Title string
	Rows  []pageRow
}

type pageRow struct {
	Name, What string
	Charts     []chart
	Details    [][]string
}

// detailHead contains the headings of pageRow.Details.
var detailHead = []string{"tool", "ms", "s", "held", "CPU s", "CPU s/GiB", "RSS MiB", "moved/asked", "requests", "by kind"}

// DetailHead returns the headings for the template.
func (page) DetailHead() []string { return detailHead }

// legendEntry explains a class of bars.
type legendEntry struct{ Class, Text string }

// Legend returns the legend of the charts. The names of the tools beside the bars have the
// same meaning, so that the charts are readable without colours.
func (page) Legend() []legendEntry {
	return []legendEntry{
		{"own", "s3mount"},
		{"raw", "package s3 without a mount"},
		{"peer", "other programs"},
		{"own later", "pale: the work is done, but S3 does not have all data yet"},
	}
}

func (rep *report) page() page {
	p := page{report: rep, Day: rep.Date.Format("2 January 2006, 15:04 MST"), Duration: rep.Took.Round(1e9).String(), Tools: rep.tools}
	for _, g := range rep.measured() {
		pg := pageGroup{Title: g.title}
		for _, row := range g.rows {
			pr := pageRow{Name: row.name, What: row.what}
			for _, ms := range rep.links {
				p.Overview = append(p.Overview, rep.overviewLine(row, ms))
				if c := rep.chart(row.name, ms); len(c.Bars) > 0 {
					pr.Charts = append(pr.Charts, c)
				}
				pr.Details = append(pr.Details, rep.detailLines(row.name, ms)...)
			}
			pg.Rows = append(pg.Rows, pr)
		}
		p.Groups = append(p.Groups, pg)
	}
	return p
}

func (rep *report) overviewLine(row row, ms int) overviewLine {
	ahead := rep.ahead(row.name, ms)
	line := overviewLine{Row: row.name, What: row.what, Origin: row.origin, Ms: ms, Ahead: times(ahead), Behind: ahead > 0 && ahead < 1}
	for _, tool := range rep.tools {
		var cell overviewCell
		if r, ok := rep.find(row.name, tool, ms); ok {
			cell = overviewCell{r.timeCell(), r.err}
		}
		line.Cells = append(line.Cells, cell)
	}
	return line
}

func (rep *report) detailLines(row string, ms int) (lines [][]string) {
	for _, tool := range rep.tools {
		r, ok := rep.find(row, tool, ms)
		if !ok {
			continue
		}
		line := []string{tool, fmt.Sprint(ms), r.timeCell(), "", "", "", "", "", "", r.remark()}
		if r.err == "" {
			held := ""
			if r.held != 0 {
				held = seconds(r.held)
			}
			line = []string{tool, fmt.Sprint(ms), seconds(r.seconds), held, seconds(r.cpu), r.perGiB(), r.memory(), r.amplification(),
				fmt.Sprint(r.requests.Total()), r.remark()}
		}
		lines = append(lines, line)
	}
	return lines
}
