package settings

import (
	"flag"
	"math"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/s3"
)

func TestParseSize(t *testing.T) {
	for _, tc := range []struct {
		in   string
		want int64
	}{
		{"0", 0}, {"1", 1}, {"512", 512}, {"512b", 512}, {"4k", 4096}, {"4K", 4096}, {"4KiB", 4096},
		{"512M", 512 << 20}, {"512MiB", 512 << 20}, {"2g", 2 << 30}, {"1T", 1 << 40},
		{"4kB", 4000}, {"5MB", 5e6}, {"5GB", 5e9}, {"5TB", 5e12},
		{"9223372036854775807", math.MaxInt64},
	} {
		got, err := parseSize(tc.in)
		if err != nil || got != tc.want {
			t.Errorf("parseSize(%q) = %d, %v; want %d", tc.in, got, err, tc.want)
		}
		if back, err := parseSize(formatSize(got)); err != nil || back != got {
			t.Errorf("parseSize(formatSize(%d)) = %d, %v", got, back, err)
		}
	}
	for _, in := range []string{"", "M", "-1", "1.5G", "1X", "1 M", "9223372036854775807K", "1KK", "0x10"} {
		if got, err := parseSize(in); err == nil {
			t.Errorf("parseSize(%q) = %d, want an error", in, got)
		}
	}
}

func TestValues(t *testing.T) {
	var (
		d    time.Duration
		m    uint32
		id   uint32
		n    int
		on   bool
		word string
		a    s3.Addressing
	)
	for _, tc := range []struct {
		name string
		v    flag.Value
		in   string
		want string // "" for an error
	}{
		{"duration", durationValue{&d}, "90s", "1m30s"},
		{"duration", durationValue{&d}, "30", "30s"},
		{"duration", durationValue{&d}, "1.5", "1.5s"},
		{"duration", durationValue{&d}, "5m", "5m"},
		{"duration", durationValue{&d}, "24h", "24h"},
		{"duration", durationValue{&d}, "0", "0s"},
		{"duration", durationValue{&d}, "-1s", ""},
		{"duration", durationValue{&d}, "soon", ""},
		{"duration", durationValue{&d}, "", ""},
		{"mode", modeValue{&m}, "644", "0644"},
		{"mode", modeValue{&m}, "0x644", ""},
		{"mode", modeValue{&m}, "07777", "7777"},
		{"mode", modeValue{&m}, "17777", ""},
		{"mode", modeValue{&m}, "8", ""},
		{"id", idValue{p: &id}, "1000", "1000"},
		{"id", idValue{p: &id}, "root", "0"},
		{"id", idValue{p: &id, group: true}, "root", "0"},
		{"id", idValue{p: &id}, "4294967294", "4294967294"},
		{"id", idValue{p: &id}, "4294967295", ""},
		{"id", idValue{p: &id}, "no such user", ""},
		{"count", countValue{p: &n, min: 1}, "7", "7"},
		{"count", countValue{p: &n, min: 1}, "0", ""},
		{"bool", boolValue{&on}, "true", "true"},
		{"bool", boolValue{&on}, "No", "false"},
		{"bool", boolValue{&on}, "maybe", ""},
		{"word", stringValue{&word, oneOf("text", "json")}, "json", "json"},
		{"word", stringValue{&word, oneOf("text", "json")}, "xml", ""},
		{"addressing", addressingValue{&a, s3.AddressingPath}, "true", "true"},
		{"addressing", addressingValue{&a, s3.AddressingVirtualHost}, "false", "false"},
		{"addressing", addressingValue{&a, s3.AddressingVirtualHost}, "x", ""},
	} {
		before := tc.v.String()
		err := tc.v.Set(tc.in)
		switch {
		case tc.want == "" && err == nil:
			t.Errorf("%s: Set(%q) = %s, want an error", tc.name, tc.in, tc.v)
		case tc.want == "" && tc.v.String() != before:
			t.Errorf("%s: Set(%q) failed and changed the value to %s", tc.name, tc.in, tc.v)
		case tc.want != "" && (err != nil || tc.v.String() != tc.want):
			t.Errorf("%s: Set(%q) = %s, %v; want %s", tc.name, tc.in, tc.v, err, tc.want)
		}
	}
	if a != s3.AddressingPath {
		t.Errorf("switching off the other style changed the addressing to %v", a)
	}
}

func TestUmask(t *testing.T) {
	var file, dir uint32
	if err := (umaskValue{&file, &dir}).Set("027"); err != nil {
		t.Fatal(err)
	}
	if file != 0o640 || dir != 0o750 {
		t.Errorf("umask 027 gives %#o and %#o", file, dir)
	}
}

func TestHumanSize(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 1536: "1.5 KiB", 5 << 30: "5.0 GiB", math.MaxInt64: "8.0 EiB",
	} {
		if got := text.Size(n); got != want {
			t.Errorf("text.Size(%d) = %q, want %q", n, got, want)
		}
	}
}
