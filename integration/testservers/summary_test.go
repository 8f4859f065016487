package main

import (
	"strings"
	"testing"
	"time"
)

// TestSummary shows failures in full, skipped tests with their reasons, and numbers.
func TestSummary(t *testing.T) {
	in := `{"Action":"run","Test":"TestA"}
{"Action":"output","Test":"TestA","Output":"=== RUN   TestA\n"}
{"Action":"pass","Test":"TestA"}
{"Action":"output","Test":"TestB/x","Output":"    supervise.go:1: it fails as the table says: keys\n"}
{"Action":"output","Test":"TestB/x","Output":"    --- SKIP: TestB/x (0.00s)\n"}
{"Action":"skip","Test":"TestB/x"}
{"Action":"output","Test":"TestC","Output":"    c_test.go:3: lost\n"}
{"Action":"fail","Test":"TestC"}
{"Action":"output","Output":"FAIL\n"}
{"Action":"fail"}
`
	var out strings.Builder
	summarize(strings.NewReader(in)).print(&out, "minio", 2*time.Second)
	want := `    c_test.go:3: lost
minio: skipped: TestB/x: supervise.go:1: it fails as the table says: keys
minio: 1 passed, 1 skipped, 1 failed, in 2s
`
	if out.String() != want {
		t.Errorf("got\n%s\nwant\n%s", out.String(), want)
	}
}

// TestSummaryOfNothing shows what go test says when it cannot build the tests.
func TestSummaryOfNothing(t *testing.T) {
	var out strings.Builder
	summarize(strings.NewReader(`{"Action":"output","Output":"x.go:1: undefined: y\n"}`)).print(&out, "ceph", 0)
	if !strings.Contains(out.String(), "undefined: y") {
		t.Errorf("got\n%s", out.String())
	}
}
