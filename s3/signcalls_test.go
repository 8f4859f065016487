package s3

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// oddKey holds what signers disagree about: spaces, plus signs, slashes in a
// row, dots, percent signs, characters of several bytes and of none.
const oddKey = "a b+c//../d.e/%2F~*'()/ü\x01/"

// signedCalls makes every call that the mount makes once.
func signedCalls(ctx context.Context, c *Client, bucket string) {
	id := UploadID{Bucket: bucket, Key: oddKey, ID: "a+b/c=="}
	body := func() (io.Reader, int64) { return strings.NewReader("body"), 4 }
	r, n := body()
	options := ObjectOptions{ContentType: "text/plain; charset=utf-8", CacheControl: "a,  b", StorageClass: "GLACIER_IR", ACL: "bucket-owner-full-control",
		Metadata: map[string]string{"mode": "33188", "name": "  ü  x  "}, Tags: map[string]string{"k": "a b&c"},
		SSE: ServerSideEncryption{Algorithm: "aws:kms", KMSKeyID: "arn:aws:kms:eu-west-1:1:key/x", BucketKeyEnabled: true}}
	_, _ = c.Put(ctx, &PutInput{Bucket: bucket, Key: oddKey, Body: r, Size: n, ObjectOptions: options, IfMatch: `"etag"`})
	r, n = body()
	_, _ = c.Put(ctx, &PutInput{Bucket: bucket, Key: oddKey, Body: struct{ io.Reader }{r}, Size: n, IfNoneMatch: "*"}) // with a trailer
	if out, err := c.Get(ctx, &GetInput{Bucket: bucket, Key: oddKey, Range: Bytes(1, 2), VersionID: "v+/1", Conditions: Conditions{IfMatch: `"etag"`}}); err == nil {
		out.Body.Close()
	}
	_, _ = c.Head(ctx, &HeadInput{Bucket: bucket, Key: oddKey, SSE: &CustomerKey{}})
	_, _ = c.HeadBucket(ctx, bucket)
	_, _ = c.Ls(ctx, &LsInput{Bucket: bucket, Prefix: oddKey, Delimiter: "/", StartAfter: oddKey + "x y", MaxKeys: 7})
	_, _ = c.Ls(ctx, &LsInput{Bucket: bucket, ContinuationToken: "1u+eG/=="})
	_, _ = c.Copy(ctx, &CopyInput{SrcBucket: bucket, SrcKey: oddKey, SrcVersionID: "v+1", SrcIf: Conditions{IfMatch: `"etag"`},
		Bucket: bucket, Key: oddKey, IfNoneMatch: "*", ReplaceMetadata: true, ObjectOptions: options})
	_, _ = c.CreateUpload(ctx, &CreateUploadInput{Bucket: bucket, Key: oddKey, ObjectOptions: options})
	r, n = body()
	_, _ = c.UploadPart(ctx, &UploadPartInput{Upload: id, PartNumber: 3, Body: r, Size: n})
	_, _ = c.CopyPart(ctx, &CopyPartInput{Upload: id, PartNumber: 4, SrcBucket: bucket, SrcKey: oddKey, Last: 9, SrcIf: Conditions{IfMatch: `"etag"`}})
	_, _ = c.CompleteUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{{Number: 1, ETag: `"e"`}}, IfMatch: `"etag"`})
	_ = c.AbortUpload(ctx, id)
	_, _ = c.ListParts(ctx, &ListPartsInput{Upload: id, PartNumberMarker: 2})
	_, _ = c.ListUploads(ctx, &ListUploadsInput{Bucket: bucket, Prefix: oddKey, KeyMarker: oddKey, UploadIDMarker: "a+b"})
	_, _ = c.Delete(ctx, &DeleteInput{Bucket: bucket, Key: oddKey, IfMatch: `"etag"`, VersionID: "v"})
	_, _ = c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: bucket, Objects: []ObjectID{{Key: "k", ETag: `"etag"`}}})
	_, _ = c.GetTags(ctx, &GetTagsInput{Bucket: bucket, Key: oddKey, VersionID: "v"})
	_ = c.Restore(ctx, &RestoreInput{Bucket: bucket, Key: oddKey, VersionID: "v", Days: 3, Tier: "Bulk"})
	c.learned(bucket, FeatureListV2, SupportRefused)
	_, _ = c.Ls(ctx, &LsInput{Bucket: bucket, Prefix: oddKey, Delimiter: "/", StartAfter: oddKey + "x y"}) // version 1
	c.learned(bucket, FeatureDeleteObjects, SupportRefused)
	_, _ = c.DeleteMulti(ctx, &DeleteMultiInput{Bucket: bucket, Objects: []ObjectID{{Key: oddKey}}}) // one by one
}

// TestCallsAreSignedAsTheSDKSignsThem holds the signature of every call, with
// all its headers and its path and query as they are sent, to the SDK's.
func TestCallsAreSignedAsTheSDKSignsThem(t *testing.T) {
	kinds := map[string]bool{}
	for _, token := range []string{"", "session/token=="} {
		for _, bucket := range []string{"bucket", "dotted.bucket"} {
			for _, endpoint := range []string{"", "http://127.0.0.1:9000/base"} {
				cr := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalr/+EXAMPLE", SessionToken: token}
				check := func(r *http.Request) (*http.Response, error) {
					kinds[r.Method+" "+strings.Join(queryNames(r), "&")] = true
					compareWithSDK(t, r, cr)
					return answer(403, errorBody("AccessDenied")), nil
				}
				c := newFakeClient(t, check, func(o *Options) {
					o.Endpoint, o.Region, o.RequesterPays = endpoint, "eu-west-1", true
					o.Credentials = StaticCredentials(cr.AccessKeyID, cr.SecretAccessKey, token)
				})
				signedCalls(t.Context(), c, bucket)
			}
		}
	}
	if len(kinds) < 19 {
		t.Errorf("only %d kinds of requests were signed: %v", len(kinds), kinds)
	}
}

func queryNames(r *http.Request) (names []string) {
	for part := range strings.SplitSeq(r.URL.RawQuery, "&") {
		name, _, _ := strings.Cut(part, "=")
		names = append(names, name)
	}
	return names
}

// compareWithSDK signs the headers that r has signed once more, by the SDK.
func compareWithSDK(t *testing.T, r *http.Request, cr aws.Credentials) {
	t.Helper()
	got := r.Header.Get("Authorization")
	theirs := r.Clone(t.Context())
	theirs.Header = http.Header{}
	for name := range strings.SplitSeq(namesOf(got), ";") {
		if name = http.CanonicalHeaderKey(name); name != "Host" {
			theirs.Header[name] = r.Header[name]
		}
	}
	theirs.ContentLength = 0 // the length is not signed: proxies frame bodies anew
	theirs.Body = nil
	at, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
	noError(t, err)
	hash := r.Header.Get("X-Amz-Content-Sha256")
	noError(t, v4.NewSigner(plainPath).SignHTTP(t.Context(), cr, theirs, hash, "s3", "eu-west-1", at))
	if want := theirs.Header.Get("Authorization"); got != want {
		t.Errorf("%s %s\ngot  %s\nwant %s", r.Method, r.URL, got, want)
	}
	for _, name := range []string{"Host", "X-Amz-Content-Sha256", "X-Amz-Date"} {
		if !bytes.Contains([]byte(namesOf(got)), []byte(strings.ToLower(name))) {
			t.Errorf("%s %s: %s is not signed", r.Method, r.URL, name)
		}
	}
	for name := range r.Header {
		if lower := strings.ToLower(name); strings.HasPrefix(lower, "x-amz-") && !strings.Contains(";"+namesOf(got)+";", ";"+lower+";") {
			t.Errorf("%s %s: %s is not signed", r.Method, r.URL, name)
		}
	}
}
