package fs

import (
	"log"
	"log/slog"
	"regexp"
	"strconv"
	"strings"
)

// newDebugLog returns the log of go-fuse. Names of files appear in it, but no
// bytes that a program has read or written.
func newDebugLog(to *slog.Logger) *log.Logger { return log.New(debugLog{to}, "", 0) }

// debugLog is a writer that makes a record of each line.
type debugLog struct{ to *slog.Logger }

// Write logs one line.
func (d debugLog) Write(line []byte) (int, error) {
	d.to.Debug(withoutData(strings.TrimSuffix(string(line), "\n")))
	return len(line), nil
}

// withoutData removes data from a line of go-fuse, and keeps its length. Data is
// quoted as names are. In a request it stands before the length ("data"... 12b),
// and in a reply after it (12b data "data"...).
func withoutData(line string) string {
	afterData := regexp.MustCompile(`^(\.\.\.)? (\d+b\b)`)
	var out strings.Builder
	for {
		i := strings.IndexByte(line, '"')
		if i < 0 {
			out.WriteString(line)
			return out.String()
		}
		out.WriteString(line[:i])
		quoted, err := strconv.QuotedPrefix(line[i:])
		if err != nil { // go-fuse has cut the line
			return out.String()
		}
		line = line[i+len(quoted):]
		switch length := afterData.FindStringSubmatch(line); {
		case length != nil:
			out.WriteString(length[2])
			line = line[len(length[0]):]
		case strings.HasSuffix(out.String(), "b data "):
			line = strings.TrimPrefix(line, "...")
		default:
			out.WriteString(quoted)
		}
	}
}
