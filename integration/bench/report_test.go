package main

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// sample is a run of two rows with every kind of cell.
func sample() *report {
	return &report{
		Date: time.Date(2026, 11, 22, 18, 0, 0, 0, time.UTC), Took: 90 * time.Second, Command: "make bench",
		Machine: "2 processors", Programs: []string{"s3mount 1", "s3fs 2"}, Scale: 1, links: []int{0, 20}, tools: allTools,
		results: []result{
			{ms: 0, row: "seqwrite1", tool: toolRaw, seconds: 2, cpu: 1, bytes: gib},
			{ms: 0, row: "seqwrite1", tool: toolOwn, seconds: 2.5, cpu: 1.5, rss: 64 * mib, bytes: gib, requests: harness.Counts{harness.Part: 128}},
			{ms: 0, row: "seqwrite1", tool: toolJournal, seconds: 0.5, held: 4, bytes: gib},
			{ms: 0, row: "seqwrite1", tool: "s3fs", seconds: 5, bytes: gib},
			{ms: 0, row: "seqwrite1", tool: "rclone", seconds: 1, held: 20, bytes: gib},
			{ms: 20, row: "find", tool: toolOwn, seconds: 4, requests: harness.Counts{harness.List: 5, harness.Head: 1}, note: "half | of it"},
			{ms: 20, row: "find", tool: "s3fs", seconds: 2},
			{ms: 20, row: "find", tool: "rclone", err: "fails <here> | and there"},
			{ms: 20, row: "randread", tool: toolOwn, seconds: 1, bytes: 400 * smallSize, moved: 800 * smallSize},
		},
	}
}

func TestAhead(t *testing.T) {
	rep := sample()
	for _, tt := range []struct {
		row  string
		ms   int
		want float64
	}{
		{"seqwrite1", 0, 2}, // s3fs; rclone uploads later, and the journal is not a peer
		{"find", 20, 0.5},
		{"find", 0, 0},
		{"randread", 20, 0}, // no peer
	} {
		if got := rep.ahead(tt.row, tt.ms); got != tt.want {
			t.Errorf("%s at %d ms: %v, want %v", tt.row, tt.ms, got, tt.want)
		}
	}
}

func TestMarkdown(t *testing.T) {
	text := sample().markdown()
	for _, want := range []string{
		"22 November 2026, `make bench`, in 1m30s",
		"0.50 (4.00)",
		"2.0 ×", "0.5 ×",
		"LIST 5, HEAD 1; half / of it",
		"fails <here> / and there",
		"## Reading", "## Names", "## Writing",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
	if strings.Contains(text, "## Changing") {
		t.Error("a group without results is shown")
	}
	columns := -1
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") {
			columns = -1
			continue
		}
		if n := strings.Count(line, "|"); columns >= 0 && n != columns {
			t.Errorf("line has %d columns, the one before %d: %s", n-1, columns-1, line)
		} else {
			columns = n
		}
	}
}

func TestCells(t *testing.T) {
	rep := sample()
	own, _ := rep.find("seqwrite1", toolOwn, 0)
	random, _ := rep.find("randread", toolOwn, 20)
	failed, _ := rep.find("find", "rclone", 20)
	for _, tt := range []struct{ name, got, want string }{
		{"CPU per GiB", own.perGiB(), "1.50"},
		{"CPU per GiB of little", random.perGiB(), ""},
		{"memory", own.memory(), "64"},
		{"moved without a proxy", own.amplification(), ""},
		{"moved", random.amplification(), "2.00"},
		{"time of a failure", failed.timeCell(), "fails"},
		{"memory of a failure", failed.memory(), ""},
		{"time of a skipped row", result{skipped: true, err: "no time"}.timeCell(), "–"},
		{"seconds", seconds(1.234) + seconds(12.34) + seconds(123.4), "1.23" + "12.3" + "123"},
	} {
		if tt.got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestChart(t *testing.T) {
	rep := sample()
	c := rep.chart("seqwrite1", 0)
	if len(c.Bars) != 5 || c.Height != 5*barStep {
		t.Fatalf("got %+v", c)
	}
	longest := slices.MaxFunc(c.Bars, func(a, b bar) int { return int(a.Held - b.Held) })
	if longest.Tool != "rclone" || longest.Held != chartWidth-nameWidth-labelWidth || longest.Done != longest.Held/20 {
		t.Errorf("the longest bar is %+v", longest)
	}
	if own := c.Bars[1]; own.Class != "own" || own.Held != own.Done || own.Label != "2.50 s, 128 requests" {
		t.Errorf("own bar: %+v", own)
	}
	if c := rep.chart("find", 20); c.Bars[2].Done != 0 || c.Bars[2].Label != "fails" {
		t.Errorf("bar of a failure: %+v", c.Bars[2])
	}
	if c := rep.chart("find", 0); len(c.Bars) != 0 {
		t.Errorf("nothing was measured, but %+v", c)
	}
}

// TestHTML checks that the report is one page of well-formed elements that loads nothing.
func TestHTML(t *testing.T) {
	b, err := sample().html()
	if err != nil {
		t.Fatal(err)
	}
	text := string(b)
	for _, bad := range []string{"http://", "https://", "src=", "@import", "url(", "<here>", "ZgotmplZ", "<no value>"} {
		if strings.Contains(text, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if n := strings.Count(text, "<figure>"); n != 3 {
		t.Errorf("%d charts, want 3", n)
	}
	if svgs, titles := strings.Count(text, "<svg"), strings.Count(text, "<title>"); titles != svgs+1 {
		t.Errorf("%d titles, want one for the page and for each of %d pictures", titles, svgs)
	}
	d := xml.NewDecoder(strings.NewReader(text))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	depth := 0
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	if depth != 0 {
		t.Errorf("%d elements are not closed", depth)
	}
}

// TestColours checks the contrast of the report in light and dark mode. Text needs a ratio of
// 4.5 and bars need 3 (WCAG 2.2, criteria 1.4.3 and 1.4.11). All colours are variables, so that
// both modes define them.
func TestColours(t *testing.T) {
	modes := regexp.MustCompile(`:root \{([^}]*)\}`).FindAllStringSubmatch(reportTemplate, -1)
	if len(modes) != 2 || !strings.Contains(reportTemplate, "prefers-color-scheme: dark") {
		t.Fatalf("the style sheet has %d modes, want light and dark", len(modes))
	}
	for i, name := range []string{"light", "dark"} {
		colours := map[string]string{}
		for _, m := range regexp.MustCompile(`--(\w+): (#[0-9a-f]+)`).FindAllStringSubmatch(modes[i][1], -1) {
			colours[m[1]] = m[2]
		}
		for colour, least := range map[string]float64{"ink": 4.5, "faint": 4.5, "link": 4.5, "own": 4.5, "bad": 4.5, "raw": 3, "peer": 3} {
			if got := contrast(t, colours[colour], colours["paper"]); got < least {
				t.Errorf("%s: the contrast of %s is %.2f, want %.1f", name, colour, got, least)
			}
		}
	}
	style, _, _ := strings.Cut(reportTemplate, "</style>")
	_, rest, _ := strings.Cut(style, "\nbody {")
	if hex := regexp.MustCompile(`#[0-9a-f]{3,6}`).FindString(rest); hex != "" {
		t.Errorf("the colour %s is not a variable", hex)
	}
}

// contrast returns the contrast ratio of two colours (WCAG 2.2, contrast ratio).
func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	x, y := luminance(t, a), luminance(t, b)
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// luminance returns the relative luminance of a colour #rgb or #rrggbb (WCAG 2.2).
func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	digits := strings.TrimPrefix(colour, "#")
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	rgb, err := strconv.ParseUint(digits, 16, 24)
	if err != nil {
		t.Fatalf("colour %q: %v", colour, err)
	}
	channel := func(shift uint, weight float64) float64 {
		c := float64(rgb>>shift&0xff) / 255
		if c <= 0.04045 {
			return weight * c / 12.92
		}
		return weight * math.Pow((c+0.055)/1.055, 2.4)
	}
	return channel(16, 0.2126) + channel(8, 0.7152) + channel(0, 0.0722)
}
