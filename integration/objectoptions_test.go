package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/integration/servers"
)

// TestObjectOptions checks on the server the properties of the objects that a mount
// with options for objects creates.
func TestObjectOptions(t *testing.T) {
	t.Parallel()
	run(t, "properties", objectProperties)
	run(t, "refused", refusedOptions)
}

func objectProperties(t *testing.T, w *harness.World) {
	m, bucket, _ := mountOf(t, w, "--tag", "team=research", "--tag", "k=a b", "--header", "Cache-Control: no-cache",
		"--header-for", "*.css=Content-Type: text/x-style", "--acl", "private")
	ctx := w.Context(t)
	foreign := "foreign=1"
	_, err := bucket.Client().PutObject(ctx, &awss3.PutObjectInput{Bucket: &bucket.Bucket, Key: aws.String("theirs"),
		Body: strings.NewReader("theirs"), Tagging: &foreign, ContentLanguage: aws.String("de")})
	must(t, err)
	must(t, os.Mkdir(m.Path("d"), 0o755))
	must(t, os.WriteFile(m.Path("d/a.css"), []byte("a"), 0o600))
	must(t, os.WriteFile(m.Path("d/large"), payload(1, 20<<20), 0o600))
	must(t, os.Symlink("a.css", m.Path("d/link")))
	must(t, os.WriteFile(m.Path("name.tmp"), []byte("style"), 0o600))
	must(t, os.Rename(m.Path("name.tmp"), m.Path("final.css")))
	must(t, os.Chmod(m.Path("final.css"), 0o640))
	f, err := os.OpenFile(m.Path("theirs"), os.O_APPEND|os.O_WRONLY, 0)
	must(t, err)
	_, err = f.WriteString(", ours")
	must(t, err)
	must(t, f.Close())
	must(t, os.Rename(m.Path("theirs"), m.Path("renamed")))
	must(t, os.Rename(m.Path("d"), m.Path("e")))
	m.Unmount(t)

	for key, want := range map[string]struct{ contentType, language, tags string }{
		"e/":        {"", "", "k=a b team=research"},
		"e/a.css":   {"text/x-style", "", "k=a b team=research"},
		"e/large":   {"", "", "k=a b team=research"},
		"e/link":    {"", "", "k=a b team=research"},
		"final.css": {"text/x-style", "", "k=a b team=research"},
		"renamed":   {"", "de", "foreign=1 k=a b team=research"},
	} {
		info, err := bucket.Head(ctx, key)
		must(t, err)
		stored := key != "e/" || w.Server != servers.Versitygw // which keeps no headers of directories
		if stored && aws.ToString(info.CacheControl) != "no-cache" || want.contentType != "" && aws.ToString(info.ContentType) != want.contentType || aws.ToString(info.ContentLanguage) != want.language {
			t.Errorf("%s: Cache-Control %q, Content-Type %q, Content-Language %q", key, aws.ToString(info.CacheControl), aws.ToString(info.ContentType), aws.ToString(info.ContentLanguage))
		}
		got, err := bucket.Client().GetObjectTagging(ctx, &awss3.GetObjectTaggingInput{Bucket: &bucket.Bucket, Key: &key})
		must(t, err)
		lost := w.Server == servers.Ceph && tagsLostByCeph[key]
		if tags := tagText(got.TagSet); tags != want.tags && !lost {
			t.Errorf("%s has the tags %q, want %q", key, tags, want.tags)
		}
	}
	wantObject(t, w, bucket, "renamed", []byte("theirs, ours"))
	wantObject(t, w, bucket, "e/large", payload(1, 20<<20))
}

// tagsLostByCeph are the keys whose tags Ceph RGW 16 loses. It ignores the tags of
// multipart uploads and of copies that replace the metadata.
var tagsLostByCeph = map[string]bool{"e/large": true, "final.css": true}

// tagText returns tags in the order of their names.
func tagText(tags []types.Tag) string {
	var all []string
	for _, tag := range tags {
		all = append(all, aws.ToString(tag.Key)+"="+aws.ToString(tag.Value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// refusedOptions mounts with options that cannot be used. Each mount fails at once, with one
// line that names the option.
func refusedOptions(t *testing.T, w *harness.World) {
	bucket := w.Bucket(t)
	key := filepath.Join(w.Dir(t, "key"), "key")
	must(t, os.WriteFile(key, make([]byte, 32), 0o600))
	for want, args := range map[string][]string{
		"--sse-c-key-file: the key is not sent to " + w.Endpoint: {"--sse-c-key-file", key},
		"want AES256, aws:kms, aws:kms:dsse":                     {"--sse", "none"},
	} {
		args = append(args, "--foreground", "--endpoint", w.Endpoint, bucket.Bucket, w.Dir(t, "mnt"))
		r := w.Exec(t, append(harness.Environment(), harness.Credentials()...), w.Binary, args...)
		if r.Code == 0 || !strings.Contains(r.Out, want) || strings.Count(r.Out, "\n") != 1 {
			t.Errorf("%v: code %d, %s", args, r.Code, fmt.Sprintf("%q, want %q", r.Out, want))
		}
	}
}
