package settings

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// objectOptions returns the options for the objects that the mount creates.
func objectOptions() []Option {
	return []Option{
		{Name: "sse", group: groupObjects, Arg: "KIND",
			Usage: "encrypt objects: AES256, aws:kms, aws:kms:dsse",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.S3.Objects.SSE.Algorithm, oneOf(s3.Encryptions()...)}
			}},
		{Name: "sse-kms-key-id", group: groupObjects, Arg: "KEY",
			Usage: "id, ARN or alias of the key for --sse aws:kms",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.S3.Objects.SSE.KMSKeyID, checkHeaderText}
			}},
		{Name: "sse-bucket-key", group: groupObjects,
			Usage: "use a bucket key with --sse aws:kms",
			Value: func(s *Settings) flag.Value { return boolValue{&s.S3.Objects.SSE.BucketKeyEnabled} }},
		{Name: "sse-c-key-file", group: groupObjects, Arg: "FILE",
			Usage: "encrypt objects with the key in FILE (SSE-C)",
			Value: func(s *Settings) flag.Value { return stringValue{p: &s.CustomerKeyFile} }},
		{Name: "storage-class", group: groupObjects, Arg: "CLASS",
			Usage: "storage class of objects, such as STANDARD_IA",
			Value: func(s *Settings) flag.Value {
				return stringValue{&s.S3.Objects.StorageClass, checkStorageClass}
			}},
		{Name: "acl", group: groupObjects, Arg: "ACL",
			Usage: "canned ACL of objects",
			Value: func(s *Settings) flag.Value { return stringValue{&s.S3.Objects.ACL, oneOf(cannedACLs()...)} }},
		{Name: "tag", group: groupObjects, Arg: "KEY=VALUE",
			Usage: "tag of objects; repeatable",
			Value: func(s *Settings) flag.Value { return repeatedValue{tagValue{&s.S3.Objects.Tags}} }},
		{Name: "header", group: groupObjects, Arg: "HEADER",
			Usage: "such as 'Cache-Control: no-cache'; repeatable",
			Value: func(s *Settings) flag.Value {
				return repeatedValue{headerValue{p: &s.S3.Objects.Headers}}
			}},
		{Name: "header-for", group: groupObjects, Arg: "PATTERN=HEADER",
			Usage: "header of objects whose name matches; repeatable",
			Value: func(s *Settings) flag.Value {
				return repeatedValue{headerValue{p: &s.S3.Objects.Headers, byName: true}}
			}},
		{Name: "expected-bucket-owner", group: groupObjects, Arg: "ID",
			Usage: "refuse a bucket that another AWS account owns",
			Value: func(s *Settings) flag.Value { return stringValue{&s.S3.ExpectedBucketOwner, checkAccount} }},
	}
}

// cannedACLs returns the ACLs that S3 has names for
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/acl-overview.html#canned-acl).
func cannedACLs() []string {
	return []string{"private", "public-read", "public-read-write", "authenticated-read", "aws-exec-read",
		"bucket-owner-read", "bucket-owner-full-control"}
}

// checkStorageClass checks the form of a class, because servers have classes of their own.
// It refuses classes whose objects cannot be read: the mount could not even rename a file.
func checkStorageClass(text string) error {
	valid := text != "" && strings.IndexFunc(text, func(c rune) bool {
		return (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' && c != '.'
	}) < 0
	switch {
	case !valid:
		return errors.New("want a class such as STANDARD_IA, ONEZONE_IA, INTELLIGENT_TIERING or GLACIER_IR")
	case text == "GLACIER" || text == "DEEP_ARCHIVE":
		return errors.New("the mount could not read such objects; want another class, and a lifecycle rule of the bucket that archives objects later")
	}
	return nil
}

// checkHeaderText checks that a text can be the value of a header.
func checkHeaderText(text string) error {
	if strings.IndexFunc(text, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
		return errors.New("want printable ASCII characters")
	}
	return nil
}

// checkAccount checks the number of an AWS account.
func checkAccount(text string) error {
	if len(text) != 12 || strings.Trim(text, "0123456789") != "" {
		return errors.New("want the 12 digits of an AWS account")
	}
	return nil
}

// repeatedValue is an option that may be given more than once. Each line of a text is one
// value, so that an environment variable can hold several.
type repeatedValue struct{ flag.Value }

// Set adds the values.
func (v repeatedValue) Set(text string) error {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if err := v.Value.Set(line); err != nil {
			return err
		}
	}
	return nil
}

// repeats reports whether an option may be given more than once.
func (o Option) repeats() bool {
	_, ok := o.Value(Defaults()).(repeatedValue)
	return ok
}

// The limits of S3 for tags
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-tagging.html).
const (
	maxTags     = 10
	maxTagName  = 128
	maxTagValue = 256
)

// tagValue adds a tag.
type tagValue struct{ p *map[string]string }

func (v tagValue) String() string {
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(*v.p)) {
		lines = append(lines, name+"="+(*v.p)[name])
	}
	return strings.Join(lines, "\n")
}

func (v tagValue) Set(text string) error {
	name, value, ok := strings.Cut(text, "=")
	if !ok || name == "" || len(name) > maxTagName || len(value) > maxTagValue {
		return fmt.Errorf("want KEY=VALUE, with a key of 1 to %d characters and a value of at most %d", maxTagName, maxTagValue)
	}
	tags := maps.Clone(*v.p)
	if tags == nil {
		tags = map[string]string{}
	}
	tags[name] = value
	if len(tags) > maxTags {
		return fmt.Errorf("an object has at most %d tags", maxTags)
	}
	*v.p = tags
	return nil
}

// headerValue adds a rule for a header. If byName is set, the text begins with a pattern.
type headerValue struct {
	p      *[]s3.HeaderRule
	byName bool
}

func (v headerValue) String() string {
	var lines []string
	for _, r := range *v.p {
		switch line := r.Name + ": " + r.Value; {
		case v.byName && r.Pattern != "":
			lines = append(lines, r.Pattern+"="+line)
		case !v.byName && r.Pattern == "":
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

func (v headerValue) Set(text string) error {
	var r s3.HeaderRule
	if v.byName {
		var ok bool
		r.Pattern, text, ok = strings.Cut(text, "=")
		if _, err := path.Match(r.Pattern, ""); !ok || r.Pattern == "" || err != nil {
			return errors.New("want PATTERN=HEADER, such as '*.css=Cache-Control: max-age=60'")
		}
	}
	name, value, ok := strings.Cut(text, ":")
	r.Name, r.Value = canonicalHeader(strings.TrimSpace(name)), strings.TrimSpace(value)
	if !ok || r.Name == "" || r.Value == "" || checkHeaderText(r.Value) != nil {
		return fmt.Errorf("want NAME: VALUE, where NAME is one of %s", strings.Join(s3.HeaderRuleNames(), ", "))
	}
	*v.p = append(slices.Clip(*v.p), r)
	return nil
}

// canonicalHeader returns the name of a header that a rule may have, or "".
func canonicalHeader(name string) string {
	for _, known := range s3.HeaderRuleNames() {
		if strings.EqualFold(name, known) {
			return known
		}
	}
	return ""
}

// checkObjects refuses options for objects that contradict each other.
func (s *Settings) checkObjects() error {
	o := s.S3.Objects.SSE
	switch {
	case s.CustomerKeyFile != "" && (o.Algorithm != "" || o.KMSKeyID != "" || o.BucketKeyEnabled):
		return errors.New("--sse-c-key-file and --sse contradict each other: leave one out")
	case o.KMSKeyID != "" && o.Algorithm != "aws:kms" && o.Algorithm != "aws:kms:dsse":
		return errors.New("--sse-kms-key-id needs --sse aws:kms or --sse aws:kms:dsse")
	case o.BucketKeyEnabled && o.Algorithm != "aws:kms":
		return errors.New("--sse-bucket-key needs --sse aws:kms")
	}
	return nil
}
