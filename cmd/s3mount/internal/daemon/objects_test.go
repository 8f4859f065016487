package daemon

import (
	"context"
	"io"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/fs"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// names is a mount whose paths are the keys.
type names struct{}

func (names) Object(_ context.Context, path string) (fs.Object, error) {
	return fs.Object{Key: path, Kind: "file", Unsaved: path == "unsaved"}, nil
}

// TestObjects checks the answers of s3mount info and s3mount restore.
func TestObjects(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}, AccessKey: "key", SecretKey: "secretkey"})
	client := srv.Client()
	put := func(key string, o s3.ObjectOptions) {
		t.Helper()
		if _, err := client.Put(t.Context(), &s3.PutInput{Bucket: "b", Key: key, Body: strings.NewReader("body"), Size: 4, ObjectOptions: o}); err != nil {
			t.Fatal(err)
		}
	}
	tags := map[string]string{"team": "x"}
	put("f", s3.ObjectOptions{ContentType: "text/x", CacheControl: "no-cache", Metadata: map[string]string{"m": "1"}, Tags: tags,
		SSE: s3.ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "key-1", BucketKeyEnabled: true}})
	put("cold", s3.ObjectOptions{StorageClass: "GLACIER"})
	objects := NewObjects(names{}, client, "b")

	o, err := objects.Describe(t.Context(), "f", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if !o.Exists || o.Key != "f" || o.Size != 4 || o.ETag == "" || o.Class != "STANDARD" || o.Headers["Content-Type"] != "text/x" ||
		o.Headers["Cache-Control"] != "no-cache" || o.Metadata["m"] != "1" || !maps.Equal(o.Tags, tags) || len(o.Checksums) != 1 ||
		o.Encrypted == nil || o.Encrypted.KeyID != "key-1" || !o.Encrypted.BucketKey || o.Modified == nil {
		t.Errorf("f: %+v", o)
	}
	resp, err := http.Get(o.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "body" {
		t.Errorf("the URL gives %q, %v", body, err)
	}
	if o, err := objects.Describe(t.Context(), "unsaved", 0); err != nil || o.Exists || !o.Unsaved || o.URL != "" {
		t.Errorf("a file that S3 does not hold: %+v, %v", o, err)
	}

	srv.Reset()
	if o, err := objects.Restore(t.Context(), "f", 1, ""); err != nil || o.Archived || srv.Requests()["RestoreObject"] != 0 {
		t.Errorf("restore of an object that is not archived: %+v, %v", o, err)
	}
	for range 2 {
		if o, err := objects.Restore(t.Context(), "cold", 1, "Standard"); err != nil || !o.Archived || !o.Restoring {
			t.Errorf("restore: %+v, %v", o, err)
		}
	}
	srv.FinishRestores("b")
	if o, err := objects.Describe(t.Context(), "cold", 0); err != nil || o.Archived || o.Restoring || o.Restored == nil {
		t.Errorf("restored: %+v, %v", o, err)
	}
}
