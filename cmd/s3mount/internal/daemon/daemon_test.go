package daemon

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

func TestWaitReport(t *testing.T) {
	for _, tc := range []struct {
		name, reports, notes, says string
		code                       int
	}{
		{"mounted", `{"mounted":true}` + "\n", "", "", exit.OK},
		{"note, then mounted", `{"note":"careful"}` + "\n" + `{"mounted":true}` + "\n", "s3mount: careful\n", "", exit.OK},
		{"failed", `{"error":"no such bucket","code":6}` + "\n", "", "no such bucket", exit.Bucket},
		{"died", "", "", "ended before", exit.Failure},
		{"died after a note", `{"note":"careful"}` + "\n", "s3mount: careful\n", "ended before", exit.Failure},
		{"cut", `{"mounted":tr`, "", "read the report", exit.Failure},
	} {
		var notes bytes.Buffer
		err := waitReport(strings.NewReader(tc.reports), &notes)
		if exit.Code(err) != tc.code || tc.says != "" && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v (code %d), want one that says %q (code %d)", tc.name, err, exit.Code(err), tc.says, tc.code)
		}
		if notes.String() != tc.notes {
			t.Errorf("%s: notes %q, want %q", tc.name, &notes, tc.notes)
		}
	}
}

// TestReporter checks that what the child sends is what the parent understands.
func TestReporter(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	fd, err := unix.Dup(int(w.Fd())) // OpenReporter takes it over
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv(statusVariable, strconv.Itoa(fd))
	report, err := OpenReporter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, still := os.LookupEnv(statusVariable); still || !report.InBackground() {
		t.Errorf("in the background: %v; the variable is still there: %v", report.InBackground(), still)
	}
	report.Note("2\nlines")
	got := report.Failed(exit.Errorf(exit.Bucket, "no such bucket"))
	if exit.Code(got) != exit.Bucket || !errors.Is(got, exit.ErrReported) {
		t.Errorf("failed returns %v", got)
	}
	if err := report.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	exittest.Want(t, waitReport(r, &notes), exit.Bucket, "no such bucket")
	if notes.String() != "s3mount: 2\nlines\n" {
		t.Errorf("notes %q", &notes)
	}
}

func TestReporterInForeground(t *testing.T) {
	var stderr bytes.Buffer
	report, err := OpenReporter(&stderr)
	if err != nil {
		t.Fatal(err)
	}
	report.Note("careful")
	want := errors.New("no")
	if got := report.Failed(want); got != want {
		t.Errorf("failed returns %v", got)
	}
	if err := report.Mounted(); err != nil || stderr.String() != "s3mount: careful\n" {
		t.Errorf("mounted: %v, stderr %q", err, &stderr)
	}
}
