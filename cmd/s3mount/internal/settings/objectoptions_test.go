package settings

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/s3"
)

// TestObjectOptionsAdd shows that options which may be repeated add up, from every source.
func TestObjectOptionsAdd(t *testing.T) {
	path := writeConfig(t, "bucket = 'b'\nmountpoint = '/m'\ntag = ['a=1', # the first\n 'b=2']\nheader = 'Expires: 0'\n")
	s, _, err := parseArgs([]string{"--config", path, "--tag", "d=4", "-o", `tag=e=5,header="Cache-Control: a, b"`, "--header-for", "*.css=content-type: text/css"},
		"S3MOUNT_TAG=b=3\nc=x=y")
	if err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"a": "1", "b": "3", "c": "x=y", "d": "4", "e": "5"}; !maps.Equal(s.S3.Objects.Tags, want) {
		t.Errorf("tags %v, want %v", s.S3.Objects.Tags, want)
	}
	want := []s3.HeaderRule{{Name: "Expires", Value: "0"}, {Name: "Cache-Control", Value: "a, b"}, {Pattern: "*.css", Name: "Content-Type", Value: "text/css"}}
	if !slices.Equal(s.S3.Objects.Headers, want) {
		t.Errorf("headers %v, want %v", s.S3.Objects.Headers, want)
	}
}

// TestWrongObjectOptions shows that an error names the option, the value and the values
// that are allowed.
func TestWrongObjectOptions(t *testing.T) {
	for args, says := range map[string]string{
		"--sse|rot13":                      `invalid value "rot13" for flag --sse: want AES256, aws:kms, aws:kms:dsse`,
		"--acl|everybody":                  `invalid value "everybody" for flag --acl: want private, public-read,`,
		"--storage-class|DEEP_ARCHIVE":     `invalid value "DEEP_ARCHIVE" for flag --storage-class: the mount could not read such objects; want another class`,
		"--storage-class|a b":              `invalid value "a b" for flag --storage-class: want a class such as STANDARD_IA`,
		"--tag|x":                          `invalid value "x" for flag --tag: want KEY=VALUE`,
		"--tag|=x":                         `invalid value "=x" for flag --tag: want KEY=VALUE`,
		"--header|X-Amz-Acl: private":      `invalid value "X-Amz-Acl: private" for flag --header: want NAME: VALUE, where NAME is one of Cache-Control,`,
		"--header-for|[=Expires: 0":        `invalid value "[=Expires: 0" for flag --header-for: want PATTERN=HEADER`,
		"--expected-bucket-owner|1":        `invalid value "1" for flag --expected-bucket-owner: want the 12 digits`,
		"-o|acl=everybody":                 `-o: acl=everybody: want private, public-read,`,
		"--sse-kms-key-id|k":               "--sse-kms-key-id needs --sse aws:kms",
		"--sse|AES256|--sse-kms-key-id|k":  "--sse-kms-key-id needs --sse aws:kms",
		"--sse|AES256|--sse-bucket-key":    "--sse-bucket-key needs --sse aws:kms",
		"--sse|AES256|--sse-c-key-file|/f": "--sse-c-key-file and --sse contradict each other",
	} {
		_, _, err := parseArgs(append(strings.Split(args, "|"), "b", "/m"))
		exittest.Want(t, err, exit.Usage, says)
	}
	_, _, err := parseArgs([]string{"b", "/m"}, "S3MOUNT_ACL=everybody")
	exittest.Want(t, err, exit.Usage, `environment variable S3MOUNT_ACL: "everybody": want private,`)
	path := writeConfig(t, "acl = 'everybody'\n")
	_, _, err = parseArgs([]string{"--config", path, "b", "/m"})
	exittest.Want(t, err, exit.Usage, `:1: acl: "everybody": want private,`)
}
