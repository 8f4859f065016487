package main

import (
	"os"
	"testing"
)

// TestImage checks that the image shows the recorded text. make demo-record writes both.
func TestImage(t *testing.T) {
	text, err := os.ReadFile(recordingText)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(recordingImage)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != image(string(text)) {
		t.Errorf("%s does not show %s: make demo-record", recordingImage, recordingText)
	}
}
