package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// markdown returns RESULTS.md: the machine, an overview, and all columns.
func (rep *report) markdown() string {
	var s strings.Builder
	s.WriteString("# Measurements\n\n[doc.go](doc.go) explains the rows and columns.\n\n")
	s.WriteString(rep.head("- "))
	s.WriteString("\n## Overview\n\nThe times are in seconds. A time in brackets is the time until S3 had all data, if it is later.\n" +
		"Ahead is the time of the fastest peer divided by the time of s3mount, both until S3 had all data.\n\n")
	s.WriteString(rep.overview().markdown())
	for _, g := range rep.measured() {
		fmt.Fprintf(&s, "\n## %s\n\n", g.title)
		s.WriteString(rep.details(g).markdown())
	}
	return s.String()
}

// text returns the overview for a terminal.
func (rep *report) text() string { return "\n" + rep.overview().markdown() + "\n" + rep.head("") }

// head describes the conditions of the measurement.
func (rep *report) head(bullet string) string {
	var s strings.Builder
	fmt.Fprintf(&s, "%s%s, `%s`, in %v.\n", bullet, rep.Date.Format("2 January 2006"), rep.Command, rep.Took.Round(1e9))
	fmt.Fprintf(&s, "%s%s.\n", bullet, rep.Machine)
	fmt.Fprintf(&s, "%s%s; server versitygw on the same machine.\n", bullet, strings.Join(rep.Programs, "; "))
	if rep.Scale != 1 {
		fmt.Fprintf(&s, "%sSizes and numbers of files are %g of the values in the rows.\n", bullet, rep.Scale)
	}
	return s.String()
}

// overview returns a table with a line for each row and link, and a column for each
// tool.
func (rep *report) overview() *grid {
	g := &grid{head: []string{"work", "filled by", "ms"}, left: 2}
	g.head = append(g.head, rep.tools...)
	g.head = append(g.head, "ahead")
	for _, group := range rep.measured() {
		for _, row := range group.rows {
			for _, ms := range rep.links {
				line := []string{row.name + ": " + row.what, string(row.origin), fmt.Sprint(ms)}
				for _, tool := range rep.tools {
					cell := ""
					if r, ok := rep.find(row.name, tool, ms); ok {
						cell = r.timeCell()
					}
					line = append(line, cell)
				}
				g.lines = append(g.lines, append(line, times(rep.ahead(row.name, ms))))
			}
		}
	}
	return g
}

// details returns a table with all columns of a group of rows.
func (rep *report) details(group group) *grid {
	g := &grid{head: []string{"work", "tool", "ms", "s (held)", "CPU s", "CPU s/GiB", "RSS MiB", "moved/asked", "requests", "by kind"}, left: 2, last: true}
	for _, row := range group.rows {
		for _, ms := range rep.links {
			for _, tool := range rep.tools {
				r, ok := rep.find(row.name, tool, ms)
				if !ok {
					continue
				}
				cpu, total := "", ""
				if r.err == "" {
					cpu, total = seconds(r.cpu), fmt.Sprint(r.requests.Total())
				}
				g.lines = append(g.lines, []string{row.name, tool, fmt.Sprint(ms), r.timeCell(), cpu, r.perGiB(),
					r.memory(), r.amplification(), total, r.remark()})
			}
		}
	}
	return g
}

// grid is a table. The first left columns, and the last one if last is set, contain
// text. The other columns contain numbers.
type grid struct {
	head  []string
	lines [][]string
	left  int
	last  bool
}

func (g *grid) number(column int) bool {
	return column >= g.left && !(g.last && column == len(g.head)-1)
}

// markdown returns the table with aligned columns.
func (g *grid) markdown() string {
	width := make([]int, len(g.head))
	for _, line := range append([][]string{g.head}, g.lines...) {
		for i, cell := range line {
			width[i] = max(width[i], utf8.RuneCountInString(plain(cell)), 3)
		}
	}
	var s strings.Builder
	g.line(&s, g.head, width)
	for i, w := range width {
		rule := strings.Repeat("-", w+2)
		if g.number(i) {
			rule = rule[1:] + ":"
		}
		s.WriteString("|" + rule)
	}
	s.WriteString("|\n")
	for _, line := range g.lines {
		g.line(&s, line, width)
	}
	return s.String()
}

func (g *grid) line(s *strings.Builder, cells []string, width []int) {
	for i, cell := range cells {
		cell = plain(cell)
		pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
		if g.number(i) {
			s.WriteString("| " + pad + cell + " ")
		} else {
			s.WriteString("| " + cell + pad + " ")
		}
	}
	s.WriteString("|\n")
}

// plain returns a cell without characters that would end it.
func plain(cell string) string {
	return strings.NewReplacer("|", "/", "\n", " ").Replace(cell)
}
