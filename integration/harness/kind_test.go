package harness

import (
	"net/http"
	"testing"
)

func TestClassify(t *testing.T) {
	copied := http.Header{"X-Amz-Copy-Source": {"b/k"}}
	for _, c := range []struct {
		method, target string
		header         http.Header
		want           Kind
		key            string
	}{
		{"GET", "/", nil, List, ""},
		{"GET", "/b?list-type=2&prefix=a", nil, List, ""},
		{"GET", "/b/?list-type=2", nil, List, ""},
		{"GET", "/b?location", nil, Other, ""},
		{"GET", "/b?uploads", nil, ListUploads, ""},
		{"HEAD", "/b", nil, HeadBucket, ""},
		{"PUT", "/b", nil, Other, ""},
		{"POST", "/b?delete", nil, DeleteMulti, ""},
		{"GET", "/b/k", nil, Get, "k"},
		{"GET", "/b//k%2F%20x", nil, Get, "/k/ x"},
		{"GET", "/b/k?uploadId=1", nil, ListParts, "k"},
		{"HEAD", "/b/k/", nil, Head, "k/"},
		{"PUT", "/b/k", nil, Put, "k"},
		{"PUT", "/b/k", copied, Copy, "k"},
		{"PUT", "/b/k?partNumber=1&uploadId=2", nil, Part, "k"},
		{"PUT", "/b/k?partNumber=1&uploadId=2", copied, PartCopy, "k"},
		{"POST", "/b/k?uploads", nil, Create, "k"},
		{"POST", "/b/k?uploadId=2", nil, Complete, "k"},
		{"DELETE", "/b/k", nil, Delete, "k"},
		{"DELETE", "/b/k?uploadId=2", nil, Abort, "k"},
		{"PATCH", "/b/k", nil, Other, "k"},
	} {
		if r := classify(c.method, c.target, c.header); r.Kind != c.want || r.Key != c.key {
			t.Errorf("%s %s is %s of %q, want %s of %q", c.method, c.target, r.Kind, r.Key, c.want, c.key)
		}
	}
}

func TestCounts(t *testing.T) {
	c := Counts{Get: 2, Head: 7, List: 2}
	if s := c.String(); s != "HEAD 7, GET 2, LIST 2" || c.Total() != 11 {
		t.Errorf("%s, together %d", s, c.Total())
	}
}

func TestUnoctal(t *testing.T) {
	for in, want := range map[string]string{`/a\040b`: "/a b", `\134`: `\`, `a\`: `a\`, `\0`: `\0`, "plain": "plain"} {
		if got := unoctal(in); got != want {
			t.Errorf("%q means %q, want %q", in, got, want)
		}
	}
}
