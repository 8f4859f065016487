package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	cdx "github.com/CycloneDX/cyclonedx-go"
)

// TestSBOM writes the bill of materials of this test, which is a Go program.
func TestSBOM(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var one, two bytes.Buffer
	for _, out := range []*bytes.Buffer{&one, &two} {
		if err := run([]string{self}, out); err != nil {
			t.Fatal(err)
		}
	}
	if one.String() != two.String() {
		t.Error("two of one binary differ")
	}
	var bom cdx.BOM
	if err := cdx.NewBOMDecoder(&one, cdx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, c := range *bom.Components {
		found = found || strings.HasPrefix(c.PackageURL, "pkg:golang/github.com/CycloneDX/cyclonedx-go@v") && c.Properties != nil
	}
	if !found {
		t.Errorf("the library that writes it is not in it: %+v", bom.Components)
	}
}

func TestSBOMRefuses(t *testing.T) {
	for _, args := range [][]string{nil, {"a", "b"}, {os.DevNull}} {
		if err := run(args, &bytes.Buffer{}); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}
