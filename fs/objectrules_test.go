package fs

import (
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/hanwen/go-fuse/v2/fuse"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// everydaySession makes, changes, renames and removes files of all kinds. It sends every
// kind of request that a mount sends.
func everydaySession(k *kernel) {
	k.t.Helper()
	k.must(k.mkdir("d"), "mkdir", "d")
	k.put("d/small", "hello")
	fh := k.create("d/large", syscall.O_RDWR)
	piece := strings.Repeat("0123456789abcdef", 1<<16)
	for i := range 24 {
		k.write(fh, int64(i)<<20, piece)
	}
	k.close(fh)
	fh = k.openFile("d/large", syscall.O_RDWR)
	k.write(fh, 1<<20, "changed")
	k.close(fh)
	fh = k.create("d/sparse", syscall.O_RDWR)
	k.write(fh, 64<<20, "end")
	k.close(fh)
	dir, _ := k.lookup("d")
	h := header(dir)
	var out fuse.EntryOut
	k.must(k.f.Symlink(nil, &h, "small", "link", &out), "symlink", "d/link")
	k.refs[out.NodeId]++
	k.must(k.f.Mknod(nil, &fuse.MknodIn{InHeader: h, Mode: syscall.S_IFIFO | 0o600}, "fifo", &out), "mknod", "d/fifo")
	k.refs[out.NodeId]++
	k.must(k.setattr("d/small", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o600}}), "chmod", "d/small")
	k.must(k.setattr("d", fuse.SetAttrIn{SetAttrInCommon: fuse.SetAttrInCommon{Valid: fuse.FATTR_MODE, Mode: 0o700}}), "chmod", "d")
	if err := k.f.drain(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
	k.must(k.rename("d/small", "d/renamed", 0), "rename", "d/small")
	k.must(k.rename("d", "e", 0), "rename", "d")
	fh = k.openFile("e/large", syscall.O_RDONLY)
	k.must(k.unlink("e/large"), "unlink", "e/large")
	if got := k.read(fh, 1<<20, 7); got != "changed" {
		k.t.Errorf("read of the unlinked file: %q", got)
	}
	k.close(fh)
	k.forgetNameless()
	if got := k.cat("e/renamed"); got != "hello" {
		k.t.Errorf("read of the renamed file: %q", got)
	}
	k.ls("e")
	if err := k.f.drain(k.t.Context()); err != nil {
		k.t.Fatal(err)
	}
}

// TestEveryRequestCarriesTheOptions holds each request of an everyday session to the options
// for objects.
func TestEveryRequestCarriesTheOptions(t *testing.T) {
	const owner = "111122223333"
	kms := s3.ObjectRules{SSE: s3.ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "key-1", BucketKeyEnabled: true}, StorageClass: "STANDARD_IA",
		ACL: "bucket-owner-full-control", Tags: map[string]string{"team": "x"}, Headers: []s3.HeaderRule{{Name: "Cache-Control", Value: "no-cache"}}}
	customer := s3.ObjectRules{SSE: s3.ServerSideEncryption{Customer: &s3.CustomerKey{Key: [32]byte{7}}}}
	const sse, key, source = "X-Amz-Server-Side-Encryption", "X-Amz-Server-Side-Encryption-Customer-Key", "X-Amz-Copy-Source-Server-Side-Encryption-Customer-Key"
	created := []string{sse, sse + "-Aws-Kms-Key-Id", sse + "-Bucket-Key-Enabled", "X-Amz-Storage-Class", "X-Amz-Acl", "X-Amz-Tagging"}
	for name, tc := range map[string]struct {
		rules s3.ObjectRules
		want  map[string][]string // the headers of a kind of request
	}{
		"kms": {kms, map[string][]string{"PutObject": append([]string{"Cache-Control"}, created...), "CopyObject": created,
			"CreateMultipartUpload": append([]string{"Cache-Control"}, created...),
			"UploadPart":            nil, "UploadPartCopy": nil, "CompleteMultipartUpload": nil, "GetObject": nil, "HeadObject": nil, "ListObjectsV2": nil}},
		"customer": {customer, map[string][]string{"PutObject": {key}, "CopyObject": {key, source}, "CreateMultipartUpload": {key}, "UploadPart": {key},
			"UploadPartCopy": {key, source}, "CompleteMultipartUpload": {key}, "GetObject": {key}, "HeadObject": {key}}},
	} {
		t.Run(name, func(t *testing.T) {
			srv := s3test.NewServer(t, s3test.Options{TLS: true})
			srv.CreateBucket(testBucket)
			k := mountOn(t, srv, srv.Client(func(o *s3.Options) {
				o.Objects, o.ExpectedBucketOwner = tc.rules, owner
			}))
			everydaySession(k)
			k.unmount()
			for _, r := range srv.Log() {
				for _, h := range append([]string{"X-Amz-Expected-Bucket-Owner"}, tc.want[r.Kind]...) {
					if r.Header.Get(h) == "" {
						t.Errorf("%s %q has no %s", r.Kind, r.Key, h)
					}
				}
			}
			seen := srv.Requests()
			for kind := range tc.want {
				if seen[kind] == 0 {
					t.Errorf("the session sends no %s; it sends %v", kind, slices.Sorted(maps.Keys(seen)))
				}
			}
		})
	}
}
