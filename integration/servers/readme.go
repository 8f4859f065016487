package servers

import (
	"fmt"
	"slices"
	"strings"
)

// tested returns the cell of README.md that lists the tests of a server.
const tested = "package s3, promises, applications, two mounts, odd keys"

// Readme returns the table of servers as README.md shows it.
func Readme() string {
	var b strings.Builder
	b.WriteString("| Server | Version | Tested | Missing | What s3mount does instead |\n|---|---|---|---|---|\n")
	for _, s := range All {
		if s.Title == "" {
			continue
		}
		version, what, missing, instead := s.Version, tested, s.Missing, join(alternatives(s.Replaced, s.Instead))
		if s.Name == "" {
			version, what = "", "from documentation"
		} else {
			missing, instead = s.cells()
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", s.Title, version, what, missing, instead)
	}
	return b.String()
}

// cells joins the limits of a tested server. It omits limits without an alternative,
// because s3mount does not need these features.
func (s Server) cells() (missing, instead string) {
	var reasons, all []string
	for _, l := range s.Limits {
		if ways := alternatives(l.Replaced, l.Instead); len(ways) > 0 {
			reasons = append(reasons, l.Reason)
			all = append(all, ways...)
		}
	}
	return strings.Join(reasons, "; "), join(all)
}

// join joins the descriptions and omits repeated ones.
func join(all []string) string {
	var once []string
	for _, one := range all {
		if !slices.Contains(once, one) {
			once = append(once, one)
		}
	}
	return strings.Join(once, "; ")
}
