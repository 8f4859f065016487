package progress

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/fs"
)

// TestLines checks that a log gets one line a minute.
func TestLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []string
		d := Lines(func(line string) { got = append(got, line) })
		for range 10 * 60 * 5 { // ten minutes
			d.Show(State{Text: "writing\x1b", Files: []fs.Upload{{Key: "k"}}})
			time.Sleep(Tick)
		}
		d.Close()
		if len(got) != 9 || got[0] != `writing\x1b` {
			t.Errorf("%d lines: %q", len(got), got)
		}
	})
}

// screen is a terminal of some lines that knows the sequences that draw writes.
type screen struct {
	rows []string
	at   int
}

func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		switch {
		case strings.HasPrefix(text, lineUp):
			s.at--
			text = text[len(lineUp):]
		case strings.HasPrefix(text, clearRest):
			s.rows = append(s.rows[:s.at:s.at], "")
			text = text[len(clearRest):]
		case strings.HasPrefix(text, "\r\n"):
			s.at++
			s.rows = append(s.rows, "")
			text = text[2:]
		case text[0] == '\r':
			text = text[1:]
		default:
			s.rows[s.at] += text[:1]
			text = text[1:]
		}
	}
	return len(p), nil
}

// TestOnTerminal checks what a terminal shows while files come and go.
func TestOnTerminal(t *testing.T) {
	s := &screen{rows: []string{""}}
	d := OnTerminal(s)
	for files := maxFiles + 2; files >= 0; files-- {
		state := State{Text: "writing to S3", Left: int64(files)}
		for i := range files {
			state.Files = append(state.Files, fs.Upload{Key: fmt.Sprintf("key %d\x1b[2J%s", i, strings.Repeat("x", 100)), Size: 10, Sent: 5})
		}
		d.Show(state)
		want := 1 + min(files, maxFiles+1)
		if len(s.rows) != want || !strings.HasSuffix(s.rows[0], " writing to S3") {
			t.Errorf("%d files: %d lines: %q", files, len(s.rows), s.rows)
		}
		if files > 0 && !strings.HasPrefix(s.rows[1], `[##########----------] 5 B of 10 B  key 0\x1b[2Jxx`) {
			t.Errorf("a file is shown as %q", s.rows[1])
		}
		for _, row := range s.rows {
			if len(row) > 79 {
				t.Errorf("a line of %d columns: %q", len(row), row)
			}
		}
	}
	d.Close()
	if len(s.rows) != 1 || s.rows[0] != "" {
		t.Errorf("the terminal keeps %q", s.rows)
	}
}
