package settings

import (
	"fmt"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/s3"
)

// maxBucketName is the maximum length of the name of a bucket. S3 allows 63 bytes. Old
// buckets of us-east-1 and other servers have up to 255.
const maxBucketName = 255

// Source is the source of a mount: a bucket, or the keys under a prefix of it.
type Source struct {
	Bucket string
	Prefix string // "" or a key prefix that ends in "/"
	Spec   string // as the user wrote it; df and /proc/mounts show it
}

// parseSource reads bucket, bucket:prefix and s3://bucket/prefix. A prefix
// names a directory, with or without the slash at its end. One slash at its
// beginning is not part of it, so that bucket:/prefix is the same as bucket:prefix. Keys
// that begin with a slash are at bucket://prefix.
func parseSource(spec string) (Source, error) {
	bucket, prefix := spec, ""
	if arn, rest, ok := cutARN(spec); ok {
		bucket, prefix = arn, rest
	} else if rest, ok := cutScheme(spec); ok {
		bucket, prefix, _ = strings.Cut(rest, "/")
	} else {
		if strings.HasPrefix(spec, "https://") || strings.HasPrefix(spec, "http://") {
			return Source{}, exit.Errorf(exit.Usage, "%q is a server's address, not a bucket: write s3mount --endpoint URL bucket mountpoint", spec)
		}
		if i := strings.IndexAny(spec, ":/"); i >= 0 && spec[i] == '/' {
			return Source{}, exit.Errorf(exit.Usage, "%q is not a bucket: write bucket, bucket:prefix or s3://bucket/prefix, then the mountpoint", spec)
		}
		bucket, prefix, _ = strings.Cut(spec, ":")
		prefix = strings.TrimPrefix(prefix, "/")
	}
	if strings.HasPrefix(bucket, arnPrefix) {
		if err := s3.CheckAccessPoint(bucket); err != nil {
			return Source{}, exit.Errorf(exit.Usage, "%q: %w", spec, err)
		}
	} else if err := checkBucketName(bucket); err != nil {
		return Source{}, exit.Errorf(exit.Usage, "%q: %w", spec, err)
	}
	if strings.ContainsRune(prefix, 0) {
		return Source{}, exit.Errorf(exit.Usage, "%q: a prefix cannot contain a NUL byte", spec)
	}
	if prefix != "" && !strings.HasSuffix(prefix, "/") {
		prefix += "/"
	}
	return Source{Bucket: bucket, Prefix: prefix, Spec: spec}, nil
}

// arnPrefix begins the ARN of an access point.
const arnPrefix = "arn:"

// cutARN separates the ARN of an access point from the prefix behind it: ARN, ARN:prefix or
// s3://ARN/prefix. The ARN has six fields, and the last one is accesspoint/NAME or
// outpost/ID/accesspoint/NAME.
func cutARN(spec string) (arn, prefix string, ok bool) {
	rest, scheme := cutScheme(spec)
	if !scheme {
		rest = spec
	}
	fields := strings.SplitN(rest, ":", 6)
	if !strings.HasPrefix(rest, arnPrefix) {
		return "", "", false
	}
	if len(fields) < 6 {
		return rest, "", true
	}
	resource, after, _ := strings.Cut(fields[5], ":")
	if scheme {
		words := strings.Split(fields[5], "/")
		n := min(len(words), 2)
		if words[0] == "outpost" {
			n = min(len(words), 4)
		}
		resource, after = strings.Join(words[:n], "/"), strings.Join(words[n:], "/")
	} else {
		after = strings.TrimPrefix(after, "/")
	}
	return strings.Join(append(fields[:5:5], resource), ":"), after, true
}

// cutScheme removes s3://, in upper or lower case, because schemes of URLs ignore case.
func cutScheme(spec string) (rest string, ok bool) {
	const scheme = "s3://"
	if len(spec) < len(scheme) || !strings.EqualFold(spec[:len(scheme)], scheme) {
		return "", false
	}
	return spec[len(scheme):], true
}

// checkBucketName refuses names that no S3 server accepts and names that would change the
// meaning of a URL. It accepts more than AWS does, because other servers allow upper case,
// underscores and shorter names.
// https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
func checkBucketName(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("the bucket's name is missing")
	case len(name) > maxBucketName:
		return fmt.Errorf("a bucket's name has at most %d bytes, not %d", maxBucketName, len(name))
	case name == "." || name == "..":
		return fmt.Errorf("%q cannot be a bucket's name", name)
	}
	for i := 0; i < len(name); i++ {
		c := name[i]
		alnum := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !alnum && !strings.ContainsRune("-._", rune(c)) {
			return fmt.Errorf("a bucket's name has letters, digits, '-', '.' and '_', not %q", string(rune(c)))
		}
	}
	return nil
}
