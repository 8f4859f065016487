package s3_test

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

func putString(t *testing.T, c *s3.Client, key, data string, o s3.ObjectOptions) {
	t.Helper()
	if _, err := c.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: key, Body: strings.NewReader(data), Size: int64(len(data)), ObjectOptions: o}); err != nil {
		t.Fatal(err)
	}
}

func headObject(t *testing.T, c *s3.Client, key string) *s3.ObjectInfo {
	t.Helper()
	info, err := c.Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

func tagsOf(t *testing.T, c *s3.Client, key string) map[string]string {
	t.Helper()
	tags, err := c.GetTags(t.Context(), &s3.GetTagsInput{Bucket: "b", Key: key})
	if err != nil {
		t.Fatal(err)
	}
	return tags
}

// TestRulesOfEveryObject shows that the rules apply to each way to make an object, and have
// precedence over the options of a call.
func TestRulesOfEveryObject(t *testing.T) {
	rules := s3.ObjectRules{
		SSE:          s3.ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "key-1", BucketKeyEnabled: true},
		StorageClass: "STANDARD_IA", ACL: "bucket-owner-full-control", Tags: map[string]string{"team": "a b"},
		Headers: []s3.HeaderRule{{Name: "Cache-Control", Value: "no-cache"}, {Pattern: "*.css", Name: "Cache-Control", Value: "max-age=60"},
			{Pattern: "*.css", Name: "Content-Type", Value: "text/css"}},
	}
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	plain := srv.Client()
	c := srv.Client(func(o *s3.Options) {
		o.Objects, o.ExpectedBucketOwner = rules, "111122223333"
	})
	putString(t, plain, "foreign", "x", s3.ObjectOptions{ContentType: "text/x", Tags: map[string]string{"own": "1"}, Metadata: map[string]string{"m": "1"}})
	srv.Reset()
	putString(t, c, "put.css", "x", s3.ObjectOptions{StorageClass: "GLACIER", ContentType: "text/plain"})
	putString(t, c, "dir.css/", "", s3.ObjectOptions{ContentType: "application/x-directory"})
	if _, err := c.Copy(t.Context(), &s3.CopyInput{SrcBucket: "b", SrcKey: "foreign", Bucket: "b", Key: "copy.css"}); err != nil {
		t.Fatal(err)
	}
	stream := strings.NewReader(strings.Repeat("x", s3.MinPartSize+1))
	if _, err := c.PutStream(t.Context(), &s3.PutStreamInput{Bucket: "b", Key: "stream.css", Body: stream, PartSize: s3.MinPartSize}); err != nil {
		t.Fatal(err)
	}
	for _, r := range srv.Log() {
		if r.Header.Get("X-Amz-Expected-Bucket-Owner") != "111122223333" {
			t.Errorf("%s %s: the expected owner is missing", r.Kind, r.Key)
		}
	}
	for key, want := range map[string]struct {
		contentType, cache string
		tags               map[string]string
	}{
		"put.css":    {"text/css", "max-age=60", rules.Tags},
		"dir.css/":   {"application/x-directory", "max-age=60", rules.Tags},
		"copy.css":   {"text/css", "max-age=60", map[string]string{"team": "a b", "own": "1"}},
		"stream.css": {"text/css", "max-age=60", rules.Tags},
	} {
		info := headObject(t, plain, key)
		if info.SSE != "aws:kms" || info.KMSKeyID != "key-1" || !info.BucketKeyEnabled || info.StorageClass != "STANDARD_IA" ||
			info.ContentType != want.contentType || info.CacheControl != want.cache {
			t.Errorf("%s has %+v", key, info)
		}
		if tags := tagsOf(t, plain, key); !maps.Equal(tags, want.tags) {
			t.Errorf("%s has the tags %v, want %v", key, tags, want.tags)
		}
	}
	if info := headObject(t, plain, "copy.css"); info.Metadata["m"] != "1" {
		t.Errorf("the copy has lost its metadata: %v", info.Metadata)
	}
	for _, r := range srv.Log() {
		if creates(r) && r.Header.Get("X-Amz-Acl") != rules.ACL {
			t.Errorf("%s %s has no ACL", r.Kind, r.Key)
		}
	}
}

// creates reports whether a request makes an object.
func creates(r s3test.Request) bool {
	return slices.Contains([]string{"PutObject", "CopyObject", "CreateMultipartUpload"}, r.Kind)
}

// TestNoTagsOfCeph shows that an answer without a document means that there are no tags.
func TestNoTagsOfCeph(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	c := srv.Client(func(o *s3.Options) {
		o.Transport = func(http.RoundTripper) http.RoundTripper {
			return roundTripper(func(*http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody}, nil
			})
		}
	})
	if tags := tagsOf(t, c, "k"); len(tags) != 0 {
		t.Errorf("tags %v", tags)
	}
}

// TestKeptProperties shows that copies keep the storage class of the source, and rewrites
// the tags and the encryption of the object.
func TestKeptProperties(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}})
	other := srv.Client()
	putString(t, other, "k", "x", s3.ObjectOptions{StorageClass: "STANDARD_IA", ContentType: "text/x", Tags: map[string]string{"own": "1"},
		SSE: s3.ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "key-1"}})
	c := srv.Client()
	putString(t, c, "k", "y", headObject(t, c, "k").Options())
	if _, err := c.Copy(t.Context(), &s3.CopyInput{SrcBucket: "b", SrcKey: "k", Bucket: "b", Key: "copy"}); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"k", "copy"} {
		info := headObject(t, c, key)
		if info.StorageClass != "STANDARD_IA" || info.ContentType != "text/x" || tagsOf(t, c, key)["own"] != "1" {
			t.Errorf("%s has %+v", key, info)
		}
	}
	if info := headObject(t, c, "k"); info.SSE != "aws:kms" || info.KMSKeyID != "key-1" {
		t.Errorf("the rewritten object has %+v", info)
	}
}

// TestCustomerKeyEverywhere shows that a client with a customer's key sends it wherever S3
// wants it, reads objects without one, and refuses plain http and servers that ignore it.
func TestCustomerKeyEverywhere(t *testing.T) {
	key := &s3.CustomerKey{Key: [32]byte{1, 2, 3}}
	encrypted := func(o *s3.Options) { o.Objects.SSE.Customer = key }
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}, TLS: true})
	srv.PutObject("b", "plain", []byte("plain"), nil)
	c := srv.Client(encrypted)
	putString(t, c, "k", "secret", s3.ObjectOptions{})
	stream := strings.NewReader(strings.Repeat("x", s3.MinPartSize+1))
	if _, err := c.PutStream(t.Context(), &s3.PutStreamInput{Bucket: "b", Key: "stream", Body: stream, PartSize: s3.MinPartSize}); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{"k", "plain", "stream"} {
		if _, err := c.Copy(t.Context(), &s3.CopyInput{SrcBucket: "b", SrcKey: from, Bucket: "b", Key: from + "2"}); err != nil {
			t.Fatal(err)
		}
		id, err := c.CreateUpload(t.Context(), &s3.CreateUploadInput{Bucket: "b", Key: from + "3"})
		if err != nil {
			t.Fatal(err)
		}
		part, err := c.CopyPart(t.Context(), &s3.CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: "b", SrcKey: from, Last: 3})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.CompleteUpload(t.Context(), &s3.CompleteUploadInput{Upload: id, Parts: []s3.Part{*part}}); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"k", "k2", "k3", "plain2", "plain3", "stream", "stream2", "stream3"} {
		if info := headObject(t, c, name); !info.CustomerKey {
			t.Errorf("%s is not encrypted with the key", name)
		}
		if _, err := srv.Client().Head(t.Context(), &s3.HeadInput{Bucket: "b", Key: name}); err == nil {
			t.Errorf("%s can be read without the key", name)
		}
	}
	out, err := c.Get(t.Context(), &s3.GetInput{Bucket: "b", Key: "plain"})
	if err != nil {
		t.Fatal(err)
	}
	defer out.Body.Close()
	if data, err := io.ReadAll(out.Body); err != nil || string(data) != "plain" {
		t.Errorf("plain: %q, %v", data, err)
	}

	o := s3.Options{Endpoint: "http://127.0.0.1:1"}
	encrypted(&o)
	if _, err := s3.New(o); !errors.Is(err, s3.ErrInvalidInput) || !strings.Contains(err.Error(), "plain http") {
		t.Errorf("over plain http: %v", err)
	}
	ignoring := srv.Client(encrypted, func(o *s3.Options) {
		o.Transport = func(next http.RoundTripper) http.RoundTripper {
			return roundTripper(func(r *http.Request) (*http.Response, error) {
				r.Header.Del("X-Amz-Server-Side-Encryption-Customer-Algorithm")
				r.Header.Del("X-Amz-Server-Side-Encryption-Customer-Key")
				r.Header.Del("X-Amz-Server-Side-Encryption-Customer-Key-Md5")
				return next.RoundTrip(r)
			})
		}
	})
	_, err = ignoring.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: "naked", Body: strings.NewReader("x"), Size: 1})
	if err == nil || !strings.Contains(err.Error(), "ignores the customer's key") {
		t.Errorf("a server that ignores the key: %v", err)
	}
}

func TestRulesThatCannotBeUsed(t *testing.T) {
	for want, r := range map[string]s3.ObjectRules{
		"Objects.SSE.Algorithm":        {SSE: s3.ServerSideEncryption{Algorithm: "rot13"}},
		"Objects.SSE.KMSKeyID":         {SSE: s3.ServerSideEncryption{Algorithm: "AES256", KMSKeyID: "k"}},
		"Objects.SSE.BucketKeyEnabled": {SSE: s3.ServerSideEncryption{Algorithm: "aws:kms:dsse", BucketKeyEnabled: true}},
		"Objects.SSE:":                 {SSE: s3.ServerSideEncryption{Algorithm: "AES256", Customer: &s3.CustomerKey{}}},
		"Objects.Headers: \"[\"":       {Headers: []s3.HeaderRule{{Pattern: "[", Name: "Expires"}}},
		"Objects.Headers: \"X-Y\"":     {Headers: []s3.HeaderRule{{Name: "X-Y"}}},
	} {
		_, err := s3.New(s3.Options{Objects: r})
		if !errors.Is(err, s3.ErrInvalidInput) || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %s", r, err, want)
		}
	}
}
