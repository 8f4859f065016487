package integration

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// difference is one way in which a mount may answer otherwise than a local
// disk does. fs/README.md shows the table, with the reasons.
type difference struct {
	about    string
	question *regexp.Regexp
	reason   string
}

var differences = []difference{
	{
		about:    "`link` is EPERM",
		question: regexp.MustCompile(`^link/[^/]*: link$`),
		reason:   "S3 has no hard links. Each name would be a copy of its own, so a crash or another mount would show two versions of one file.",
	},
	{
		about:    "`renameat2` with `RENAME_EXCHANGE` is EINVAL",
		question: regexp.MustCompile(`^rename/\S+ to \S+ exchange: `),
		reason:   "S3 cannot swap two objects.",
	},
	{
		about:    "`fallocate` with `FALLOC_FL_ZERO_RANGE` works",
		question: regexp.MustCompile(`^fallocate/zero`),
		reason:   "ext4 does the same; the tmpfs that the test compares with does not know it.",
	},
}

// findDifference gives the row that allows an answer, or nil.
func findDifference(question string) *difference {
	for i := range differences {
		if differences[i].question.MatchString(question) {
			return &differences[i]
		}
	}
	return nil
}

// TestDifferencesAreShown checks that fs/README.md has the table of differences of
// TestAnswers.
func TestDifferencesAreShown(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../fs/README.md")
	must(t, err)
	for _, d := range differences {
		if row := "| " + d.about + " | " + d.reason + " |\n"; !strings.Contains(string(b), row) {
			t.Errorf("fs/README.md does not have the row\n%s", row)
		}
	}
}
