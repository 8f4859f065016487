package s3

import (
	"encoding/json"
	"strings"
	"testing"
)

// TestFingerprintText checks that a fingerprint that was written and read again identifies
// the same objects.
func TestFingerprintText(t *testing.T) {
	whole, err := FingerprintOf(strings.NewReader("text"))
	if err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]Fingerprint{"zero": {}, "bytes": whole, "parts": {etag: "0123-2"}} {
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		var got Fingerprint
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for _, info := range []*ObjectInfo{{}, {ETag: `"` + p.etag + `"`}, {ETag: `"other"`}, {Checksum: p.sums[0]}, {Checksum: p.sums[1]}} {
			if got.matches(info) != p.matches(info) {
				t.Errorf("%s, object %+v: identified %v before, %v after", name, info, p.matches(info), got.matches(info))
			}
		}
	}
	var p Fingerprint
	if err := p.UnmarshalText([]byte("one two")); err == nil {
		t.Error("two fields are accepted")
	}
}
