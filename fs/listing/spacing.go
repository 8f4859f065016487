package listing

import (
	"math"
	"slices"
	"strings"
)

// spacing estimates where the pages of a directory end, from the ends of some pages in
// order. It takes the part of a name behind the beginning that all names share for a
// number. Counters, dates, hashes and random IDs are such numbers.
type spacing struct {
	prefix   string // of all names
	alphabet string // of the digits that follow, in the order of keys
	width    int    // so many of them count
	tail     string // what follows them, if that is everywhere the same
	step     float64
	exact    bool // each page so far was exactly one step long
	full     bool // the first digit changes: names go on to the end of the alphabet, as hashes do
}

// minBorders is from how many ends of pages on a spacing is made: fewer may be
// alike by chance.
const minBorders = 4

// newSpacing makes a spacing out of the last names of pages in order, if their
// names are of a kind that can be measured.
func newSpacing(borders []string) (*spacing, bool) {
	if len(borders) < minBorders {
		return nil, false
	}
	first, last := borders[0], borders[len(borders)-1]
	at := commonPrefix(first, last)
	g := &spacing{alphabet: alphabetOf(borders, at)}
	if g.alphabet == "" {
		return nil, false
	}
	start := at
	for start > 0 && g.digit(first[start-1]) >= 0 {
		start--
	}
	g.prefix, g.full = first[:start], start == at
	g.measure(borders)
	return g, g.step > 0
}

// alphabetOf returns the smallest of the usual alphabets that has what follows
// a place in all names, up to the first other character.
func alphabetOf(names []string, at int) string {
	const digits, upper, lower = "0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz"
	for _, a := range []string{digits, digits + upper[:6], digits + lower[:6], digits + upper, digits + lower, digits + upper + lower} {
		fits := func(s string) bool {
			rest := strings.TrimLeft(s[min(at, len(s)):], a)
			return rest == "" || !isAlphanumeric(rest[0])
		}
		varies := func(s string) bool { return len(s) > at && strings.IndexByte(a, s[at]) >= 0 }
		if !slices.ContainsFunc(names, func(s string) bool { return !fits(s) }) && slices.ContainsFunc(names, varies) {
			return a
		}
	}
	return ""
}

func isAlphanumeric(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// measure finds the width and the step.
func (g *spacing) measure(borders []string) {
	longest := int(52 / math.Log2(float64(len(g.alphabet)))) // a float64 holds such a number exactly
	var tails []string
	same := true
	for i, s := range borders {
		k := g.digits(s)
		same = same && (i == 0 || k == g.width)
		g.width = max(g.width, k)
		tails = append(tails, s[min(len(s), len(g.prefix)+k):])
	}
	if same = same && g.width <= longest && len(slices.Compact(tails)) == 1; same {
		g.tail = tails[0]
	}
	g.width = min(g.width, longest)
	first, last := g.value(borders[0]), g.value(borders[len(borders)-1])
	g.step = (last - first) / float64(len(borders)-1)
	g.exact = same
	for i := 1; i < len(borders); i++ {
		g.exact = g.exact && g.value(borders[i])-g.value(borders[i-1]) == g.step
	}
}

func (g *spacing) digit(c byte) int { return strings.IndexByte(g.alphabet, c) }

// digits returns how many digits follow the prefix.
func (g *spacing) digits(name string) int {
	rest := name[min(len(g.prefix), len(name)):]
	return len(rest) - len(strings.TrimLeft(rest, g.alphabet))
}

// value is the number of a name: a lower one of names before, a higher one of
// names after, as far as their digits show.
func (g *spacing) value(name string) float64 {
	if !strings.HasPrefix(name, g.prefix) {
		if name < g.prefix {
			return 0
		}
		return g.top()
	}
	name = name[len(g.prefix):]
	v, base := 0.0, float64(len(g.alphabet))
	for i := range g.width {
		d := 0
		if i < len(name) {
			if d = g.digit(name[i]); d < 0 {
				name, d = "", 0 // what follows counts nothing
			}
		}
		v = v*base + float64(d)
	}
	return v
}

// name is the name that has a number.
func (g *spacing) name(v float64) string {
	b := make([]byte, g.width)
	base := float64(len(g.alphabet))
	v = math.Floor(min(max(v, 0), g.top()-1))
	for i := g.width - 1; i >= 0; i-- {
		b[i] = g.alphabet[int(math.Mod(v, base))]
		v = math.Floor(v / base)
	}
	return g.prefix + string(b) + g.tail
}

// top is a number that no name has.
func (g *spacing) top() float64 { return math.Pow(float64(len(g.alphabet)), float64(g.width)) }

// commonPrefix returns the length of the common prefix of two names.
func commonPrefix(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return i
}
