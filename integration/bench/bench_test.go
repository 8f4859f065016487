package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

func TestParse(t *testing.T) {
	o, name, _, err := parse(nil)
	if err != nil || name != "" || filepath.Base(o.out) != "RESULTS.md" || filepath.Base(o.html) != "report.html" ||
		o.budget != fullBudget || !slices.Equal(o.links, []int{0, 20}) || !slices.Equal(o.tools, defaultTools()) {
		t.Errorf("a full run is %+v, %v", o, err)
	}
	o, _, _, err = parse([]string{"-rows", "seq", "-tools", "raw,s3mount", "-links", "5", "-scale", "0.1"})
	if err != nil || o.out != "" || o.html != "" || !o.rows.MatchString("seqread1") || o.rows.MatchString("find") {
		t.Errorf("a part of it is %+v, %v", o, err)
	}
	_, name, rest, err := parse([]string{"-work", "create", "dir", "3", "1"})
	if err != nil || name != "create" || len(rest) != 3 {
		t.Errorf("work is %q %q, %v", name, rest, err)
	}
	for _, bad := range [][]string{{"-rows", "("}, {"-tools", "nfs"}, {"-links", "near"}, {"-links", "-1"}, {"-times", "0"}} {
		if _, _, _, err := parse(bad); err == nil || !strings.Contains(err.Error(), bad[0]) {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

func TestRows(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range rows() {
		if seen[r.name] || r.name == "" || r.what == "" || r.script == "" {
			t.Errorf("row %q comes twice or lacks something", r.name)
		}
		seen[r.name] = true
		if s := seeds[r.data]; r.data != "" && (!slices.Contains(s.origins, r.origin) || s.files == nil && s.client == nil && s.mount == nil) {
			t.Errorf("row %s: the seed %q cannot be filled by %q", r.name, r.data, r.origin)
		}
		if r.journal && r.held == nil {
			t.Errorf("row %s: nobody waits until S3 has what the journal holds", r.name)
		}
		if r.again && r.warm == "" {
			t.Errorf("row %s: the disk cache would be empty", r.name)
		}
	}
}

func TestLateNearer(t *testing.T) {
	results := []result{{ms: 0, row: "find", tool: "s3fs", err: "not done in time", late: true}, {ms: 0, row: "find", tool: "rclone", err: "refused"}}
	for _, tt := range []struct {
		r    result
		want bool
	}{
		{result{ms: 20, row: "find", tool: "s3fs"}, true},
		{result{ms: 20, row: "find", tool: "rclone"}, false},
		{result{ms: 20, row: "lsl", tool: "s3fs"}, false},
		{result{ms: 0, row: "find", tool: "s3fs"}, false},
	} {
		if got := lateNearer(results, tt.r); got != tt.want {
			t.Errorf("%+v: %t", tt.r, got)
		}
	}
}

// TestMedian checks that the median run is reported, and a failure only if most runs
// fail.
func TestMedian(t *testing.T) {
	run := func(seconds, held float64, err string) result { return result{seconds: seconds, held: held, err: err} }
	for name, tt := range map[string]struct {
		runs []result
		want result
	}{
		"one":              {[]result{run(3, 0, "")}, run(3, 0, "")},
		"three":            {[]result{run(3, 0, ""), run(1, 0, ""), run(2, 0, "")}, run(2, 0, "")},
		"held counts":      {[]result{run(3, 3, ""), run(1, 9, ""), run(2, 4, "")}, run(2, 4, "")},
		"one of three":     {[]result{run(0, 0, "refused"), run(1, 0, ""), run(2, 0, "")}, run(2, 0, "")},
		"most do not work": {[]result{run(0, 0, "refused"), run(1, 0, ""), run(0, 0, "refused")}, run(0, 0, "refused")},
	} {
		if got := median(tt.runs); got.seconds != tt.want.seconds || got.held != tt.want.held || got.err != tt.want.err {
			t.Errorf("%s: %+v, want %+v", name, got, tt.want)
		}
	}
}

func TestTreePaths(t *testing.T) {
	for _, tt := range []struct{ files, dirs int }{{2000, 221}, {400, 21}} {
		files, dirs := map[string]bool{}, map[string]bool{}
		for _, p := range treePaths(tt.files, tt.dirs) {
			files[p] = true
			for d := filepath.Dir(p); d != "."; d = filepath.Dir(d) {
				dirs[d] = true
			}
		}
		if len(files) != tt.files || len(dirs) != tt.dirs {
			t.Errorf("%d files in %d directories, want %+v", len(files), len(dirs), tt)
		}
	}
}

func TestRandomOffsets(t *testing.T) {
	const size = 1 << 20
	offs := randomOffsets(size)
	if !slices.Equal(offs, randomOffsets(size)) {
		t.Error("not the same for everybody")
	}
	for _, off := range offs {
		if off < 0 || off+smallSize > size || off%smallSize != 0 {
			t.Errorf("offset %d", off)
		}
	}
}

func TestAccessLog(t *testing.T) {
	const line = `owner bucket [22/Nov/2026:13:00:00 +0000] 127.0.0.1 key id s3_%OP k "GET / HTTP/1.1" 200 - 0 0 1 1 "-" "%AGENT" -` + "\n"
	file := filepath.Join(t.TempDir(), "access.log")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	add := func(op, agent string) {
		if _, err := f.WriteString(strings.NewReplacer("%OP", op, "%AGENT", agent).Replace(line)); err != nil {
			t.Fatal(err)
		}
	}
	add("GetObject", "before")
	a, err := openAccessLog(file)
	if err != nil {
		t.Fatal(err)
	}
	defer a.f.Close()
	for _, op := range []string{"GetObject", "GetObject", "ListObjectsV2", "UploadPartCopy", "Surprise"} {
		add(op, "s3mount")
	}
	add("HeadObject", "x aws-sdk-go-v2/1") // the referee looks
	got, err := a.counts()
	want := harness.Counts{harness.Get: 2, harness.List: 1, harness.PartCopy: 1, harness.Other: 1}
	if err != nil || got.String() != want.String() {
		t.Errorf("counted %s, %v, want %s", got, err, want)
	}
}
