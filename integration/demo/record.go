package main

import (
	"errors"
	"fmt"
	"html"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/s3mount/s3mount/integration/harness"
)

// The files of a recording. README.md shows the second one.
const (
	recordingText  = "recording.txt"
	recordingImage = "recording.svg"
)

// record runs the demo once, and writes its output to two files in dir.
func (d demo) record(dir string) error {
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find this program: %w", err)
	}
	start := exec.Command(self, "start")
	start.Env = append(os.Environ(), "LC_ALL=C")
	out, err := start.CombinedOutput()
	if err != nil {
		return fmt.Errorf("run the demo: %w\n%s", err, out)
	}
	if err := d.stop(); err != nil {
		return err
	}
	text, err := d.neutral(string(out))
	if err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, recordingText), []byte(text), 0o644),
		os.WriteFile(filepath.Join(dir, recordingImage), []byte(image(text)), 0o644))
}

var serverPort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

// neutral replaces the names that differ between machines, and drops the line about
// the build.
func (d demo) neutral(out string) (string, error) {
	module, err := harness.ModuleDir()
	if err != nil {
		return "", err
	}
	_, out, _ = strings.Cut(out, "\n")
	out = strings.NewReplacer(d.dir, "/tmp/demo", filepath.Dir(module), "~/s3mount").Replace(out)
	return serverPort.ReplaceAllString(out, "127.0.0.1:7070"), nil
}

const (
	fontSize   = 13
	lineHeight = 18
	// charWidth is a little more than the width of a character in common fonts of
	// fontSize with a fixed width.
	charWidth = 8
	margin    = 16
)

// image draws a text as a terminal shows it. The background belongs to the image, so
// that it is readable on light and on dark pages.
func image(text string) string {
	lines := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	columns := 0
	for _, line := range lines {
		columns = max(columns, len(line))
	}
	var b strings.Builder
	width, height := columns*charWidth+2*margin, len(lines)*lineHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" role="img" aria-label="A recording of make demo">`+"\n", width, height, width, height)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="#1b1f27"/>`+"\n")
	fmt.Fprintf(&b, `<g font-family="ui-monospace, Menlo, Consolas, monospace" font-size="%d" fill="#d7dce4" xml:space="preserve">`+"\n", fontSize)
	for i, line := range lines {
		colour := ""
		if strings.HasPrefix(line, "$ ") {
			colour = ` fill="#7ee787"`
		}
		fmt.Fprintf(&b, `<text x="%d" y="%d"%s>%s</text>`+"\n", margin, margin+(i+1)*lineHeight-5, colour, html.EscapeString(line))
	}
	b.WriteString("</g>\n</svg>\n")
	return b.String()
}
