package text

import (
	"fmt"
	"strings"
	"time"

	"github.com/docker/go-units"
)

// Size formats n bytes in powers of 1024.
func Size(n int64) string {
	if n < units.KiB {
		return fmt.Sprintf("%d B", n)
	}
	return units.CustomSize("%.1f %s", float64(n), units.KiB, []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"})
}

// Seconds formats a time with two or three digits.
func Seconds(s float64) string {
	d := time.Duration(s * float64(time.Second))
	switch {
	case d <= 0:
		return "0"
	case d < time.Millisecond:
		return fmt.Sprintf("%d us", d.Microseconds())
	case d < 10*time.Millisecond:
		return fmt.Sprintf("%.1f ms", s*1e3)
	case d < time.Second:
		return fmt.Sprintf("%.0f ms", s*1e3)
	case d < 100*time.Second:
		return fmt.Sprintf("%.1f s", s)
	}
	return d.Round(time.Second).String()
}

// Count formats a number of things, such as "1 file" or "2 files".
func Count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// Enumerate formats words as a list: a, b and c.
func Enumerate(words []string) string {
	switch len(words) {
	case 0:
		return "none"
	case 1:
		return words[0]
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}

// Bar draws a bar for the share of part in whole.
func Bar(part, whole int64) string {
	const width = 20
	done := width
	if whole > 0 {
		done = int(min(max(part, 0), whole) * width / whole)
	}
	return "[" + strings.Repeat("#", done) + strings.Repeat("-", width-done) + "]"
}
