package settings

import (
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
)

func TestParseSource(t *testing.T) {
	for _, tc := range []struct{ spec, bucket, prefix string }{
		{"bucket", "bucket", ""},
		{"bucket:", "bucket", ""},
		{"bucket:/", "bucket", ""},
		{"bucket:a", "bucket", "a/"},
		{"bucket:a/", "bucket", "a/"},
		{"bucket:a/b", "bucket", "a/b/"},
		{"bucket:/a/b", "bucket", "a/b/"},
		{"bucket://a", "bucket", "/a/"},
		{"bucket:a//", "bucket", "a//"},
		{"bucket:a:b", "bucket", "a:b/"},
		{"bucket:a b,c", "bucket", "a b,c/"},
		{"s3://bucket", "bucket", ""},
		{"s3://bucket/", "bucket", ""},
		{"s3://bucket/a/b", "bucket", "a/b/"},
		{"s3://bucket//a", "bucket", "/a/"},
		{"s3://bucket/a:b", "bucket", "a:b/"},
		{"S3://bucket/a", "bucket", "a/"},
		{"arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", ""},
		{"arn:aws:s3:eu-west-1:123456789012:accesspoint/ap:a:b/c", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "a:b/c/"},
		{"s3://arn:aws:s3:eu-west-1:123456789012:accesspoint/ap/a:b/c", "arn:aws:s3:eu-west-1:123456789012:accesspoint/ap", "a:b/c/"},
		{"arn:aws:s3::123456789012:accesspoint/x.mrap", "arn:aws:s3::123456789012:accesspoint/x.mrap", ""},
		{"s3://arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/ap/p", "arn:aws:s3-outposts:us-west-2:123456789012:outpost/op-1/accesspoint/ap", "p/"},
		{"x.mrap:p", "x.mrap", "p/"},
		{"my.old_Bucket-1", "my.old_Bucket-1", ""},
	} {
		got, err := parseSource(tc.spec)
		if err != nil {
			t.Errorf("parseSource(%q): %v", tc.spec, err)
			continue
		}
		if want := (Source{tc.bucket, tc.prefix, tc.spec}); got != want {
			t.Errorf("parseSource(%q) = %+v, want %+v", tc.spec, got, want)
		}
	}
}

func TestParseSourceRefuses(t *testing.T) {
	for _, tc := range []struct{ spec, says string }{
		{"", "missing"},
		{":prefix", "missing"},
		{"s3://", "missing"},
		{"s3:///prefix", "missing"},
		{"/mnt/b", "not a bucket"},
		{"./b", "not a bucket"},
		{"bucket/prefix", "not a bucket"},
		{"..", "cannot be"},
		{"bu cket", "letters"},
		{"bücket", "letters"},
		{"a?b", "letters"},
		{"https://host/bucket", "not a bucket"},
		{"arn:aws:s3:::bucket", "not an ARN of an access point"},
		{"arn:aws:s3", "not an ARN of an access point"},
		{"arn:aws:s3:eu-west-1:1:accesspoint/a.b", "not an ARN of an access point"},
		{"bucket:a\x00b", "NUL"},
		{strings.Repeat("a", 256), "255"},
	} {
		_, err := parseSource(tc.spec)
		if err == nil || !strings.Contains(err.Error(), tc.says) || exit.Code(err) != exit.Usage {
			t.Errorf("parseSource(%q): error %v (code %d), want one that says %q", tc.spec, err, exit.Code(err), tc.says)
		}
	}
}

func FuzzParseSource(f *testing.F) {
	for _, seed := range []string{"bucket", "bucket:a/b", "s3://bucket/a//b", ":", "s3://", "b:\x00"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, spec string) {
		got, err := parseSource(spec)
		if err != nil {
			return
		}
		if !strings.HasPrefix(got.Bucket, arnPrefix) && checkBucketName(got.Bucket) != nil {
			t.Errorf("bucket %q is not valid", got.Bucket)
		}
		if got.Prefix != "" && !strings.HasSuffix(got.Prefix, "/") {
			t.Errorf("prefix %q does not end in a slash", got.Prefix)
		}
		// Both ways to write what was found must find it again.
		for _, again := range []string{got.Bucket + ":/" + got.Prefix, "s3://" + got.Bucket + "/" + got.Prefix} {
			back, err := parseSource(again)
			if err != nil || back.Bucket != got.Bucket || back.Prefix != got.Prefix {
				t.Errorf("%q reads as %+v (%v), want %+v", again, back, err, got)
			}
		}
	})
}
