package commands

import (
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

func TestDescribeObject(t *testing.T) {
	until := time.Now().Add(time.Hour)
	full := describeObject("d/f", control.Object{Kind: "file", Bucket: "b", Key: "p/d/f\x1b[1m", Exists: true, Size: 2048, ETag: `"e"`, Version: "v1", Modified: &until,
		Class: "GLACIER", Restored: &until, Encrypted: &control.Encryption{Algorithm: "aws:kms", KeyID: "k", BucketKey: true},
		Checksums: map[string]string{"CRC32C": "abc="}, Headers: map[string]string{"Content-Type": "text/x"}, Metadata: map[string]string{"m": "1"},
		Tags: map[string]string{"team": "x"}, URL: "https://h/k?X", Send: map[string]string{"X-A": ""}})
	for _, want := range []string{"d/f (file)\n", "2048 bytes (2.0 KiB)", `"e"`, "v1", "restored until", "aws:kms k with a bucket key", "CRC32C: abc=",
		"Content-Type: text/x", "m=1", "team=x", "https://h/k?X", "the header X-A"} {
		if !strings.Contains(full, want) {
			t.Errorf("it does not say %q:\n%s", want, full)
		}
	}
	if strings.Contains(full, "\x1b") {
		t.Errorf("a key controls the terminal: %q", full)
	}
	empty := describeObject("f", control.Object{Kind: "file", Bucket: "b", Key: "f", Unsaved: true})
	if !strings.Contains(empty, "none in S3") || !strings.Contains(empty, "changes that S3 does not hold") || strings.Contains(empty, "ETag") {
		t.Errorf("a file that S3 does not hold:\n%s", empty)
	}
	for want, o := range map[string]control.Object{"s3mount restore": {Exists: true, Archived: true}, "under way": {Exists: true, Archived: true, Restoring: true}} {
		if text := describeObject("f", o); !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestWrongInfoArguments(t *testing.T) {
	for args, says := range map[string]string{
		"info":                   "name the files",
		"info --url 8000h x":     "--url 8000h0m0s: want a time from 1s to 168h",
		"info --url x x":         "--url",
		"restore":                "name the files",
		"restore --tier quick x": `--tier "quick": want Expedited, Standard, Bulk`,
		"restore --days 0 x":     "--days",
	} {
		_, err := runArgs(t, strings.Fields(args)...)
		exittest.Want(t, err, exit.Usage, says)
	}
	_, err := runArgs(t, "info", t.TempDir())
	exittest.Want(t, err, exit.Mountpoint, "is not in a mount of s3mount")
}
