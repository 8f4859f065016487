package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestWaitReport(t *testing.T) {
	for _, tc := range []struct {
		name, reports, notes, says string
		code                       int
	}{
		{"mounted", `{"mounted":true}` + "\n", "", "", exitOK},
		{"note, then mounted", `{"note":"careful"}` + "\n" + `{"mounted":true}` + "\n", "s3mount: careful\n", "", exitOK},
		{"failed", `{"error":"no such bucket","code":6}` + "\n", "", "no such bucket", exitBucket},
		{"died", "", "", "died", exitFailure},
		{"died after a note", `{"note":"careful"}` + "\n", "s3mount: careful\n", "died", exitFailure},
		{"cut", `{"mounted":tr`, "", "read the report", exitFailure},
	} {
		var notes bytes.Buffer
		err := waitReport(strings.NewReader(tc.reports), &notes)
		if exitCode(err) != tc.code || tc.says != "" && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%s: %v (code %d), want one that says %q (code %d)", tc.name, err, exitCode(err), tc.says, tc.code)
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
	fd, err := unix.Dup(int(w.Fd())) // openReporter takes it over
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv(statusVariable, strconv.Itoa(fd))
	report, err := openReporter(nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, still := os.LookupEnv(statusVariable); still || !report.inBackground() {
		t.Errorf("in the background: %v; the variable is still there: %v", report.inBackground(), still)
	}
	report.note("2\nlines")
	got := report.failed(fail(exitBucket, "no such bucket"))
	if exitCode(got) != exitBucket || !errors.Is(got, errReported) {
		t.Errorf("failed returns %v", got)
	}
	if err := report.pipe.Close(); err != nil {
		t.Fatal(err)
	}
	var notes bytes.Buffer
	wantFailure(t, waitReport(r, &notes), exitBucket, "no such bucket")
	if notes.String() != "s3mount: 2\nlines\n" {
		t.Errorf("notes %q", &notes)
	}
}

func TestReporterInForeground(t *testing.T) {
	var stderr bytes.Buffer
	report, err := openReporter(&stderr)
	if err != nil {
		t.Fatal(err)
	}
	report.note("careful")
	want := errors.New("no")
	if got := report.failed(want); got != want {
		t.Errorf("failed returns %v", got)
	}
	if err := report.mounted(); err != nil || stderr.String() != "s3mount: careful\n" {
		t.Errorf("mounted: %v, stderr %q", err, &stderr)
	}
}
