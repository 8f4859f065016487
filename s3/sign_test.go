package s3

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signCases are requests whose signatures are compared with the signatures of the SDK.
var signCases = []struct {
	name, method, host, path string
	query                    query
	header                   http.Header
}{
	{"plain", "GET", "bucket.s3.amazonaws.com", "/key", nil, http.Header{"X-Amz-Content-Sha256": {emptyPayload}}},
	{"escaped", "GET", "127.0.0.1:7070", "/b/a%20b/%C3%BC%2B~", nil, http.Header{"X-Amz-Content-Sha256": {emptyPayload}}},
	{"double slash", "HEAD", "h", "/b//a/../c", nil, http.Header{"X-Amz-Content-Sha256": {emptyPayload}}},
	{"query", "GET", "h:1", "/b", query{{"prefix", "a b/ü+&="}, {"list-type", "2"}, {"uploads", ""}, {"X", "1"}},
		http.Header{"X-Amz-Content-Sha256": {emptyPayload}}},
	{"headers", "PUT", "h", "/b/k", nil, http.Header{"X-Amz-Content-Sha256": {unsignedPayload},
		"X-Amz-Meta-A": {"  x   y  "}, "Content-Type": {"text/plain"}, "Content-Md5": {"1B2M2Y8AsgTpgAmY7PhCfg=="},
		"X-Amz-Checksum-Crc32c": {"AAAAAA=="}}},
	{"trailer", "PUT", "h", "/b/k", query{{"partNumber", "1"}, {"uploadId", "a+b/c=="}},
		http.Header{"X-Amz-Content-Sha256": {unsignedTrailer}, "X-Amz-Trailer": {"x-amz-checksum-crc32c"}}},
}

func TestSignAsTheSDK(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 14, 15, 0, time.UTC)
	for _, token := range []string{"", "session/token=="} {
		cr := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "wJalr/+EXAMPLE" + strings.Repeat("long", 5*len(token)), SessionToken: token}
		for _, tt := range signCases {
			t.Run(tt.name+token, func(t *testing.T) {
				mine, theirs := signRequest(tt.method, tt.host, tt.path, tt.query, tt.header), signRequest(tt.method, tt.host, tt.path, tt.query, tt.header)
				var s signer
				target := signTarget{"eu-west-1", "s3", now}
				s.sign(mine, tt.path, tt.query.encode(), cr, target)
				err := v4.NewSigner(plainPath).SignHTTP(t.Context(), cr, theirs, first(theirs.Header, "X-Amz-Content-Sha256"), "s3", "eu-west-1", now)
				noError(t, err)
				if a, b := mine.Header.Get("Authorization"), theirs.Header.Get("Authorization"); signatureOf(a) != signatureOf(b) && namesOf(a) == namesOf(b) {
					t.Errorf("got  %s\nwant %s", a, b)
				} else if namesOf(a) != namesOf(b) {
					t.Errorf("signed %s, the SDK %s", namesOf(a), namesOf(b))
				}
			})
		}
	}
}

func plainPath(o *v4.SignerOptions) { o.DisableURIPathEscaping = true }

func signRequest(method, host, path string, q query, h http.Header) *http.Request {
	plain, err := url.PathUnescape(path)
	if err != nil {
		panic(err)
	}
	return &http.Request{Method: method, Host: host, Header: h.Clone(),
		URL: &url.URL{Scheme: "https", Host: host, Path: plain, RawPath: path, RawQuery: q.encode()}}
}

func signatureOf(auth string) string { return auth[strings.LastIndex(auth, "=")+1:] }

func namesOf(auth string) string {
	_, rest, _ := strings.Cut(auth, "SignedHeaders=")
	names, _, _ := strings.Cut(rest, ",")
	return names
}

func TestPresignAsTheSDK(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 14, 15, 0, time.UTC)
	cr := aws.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "secret", SessionToken: "t/+"}
	q := query{{"versionId", "v 1"}}
	h := http.Header{"Content-Type": {"text/plain"}}
	var s signer
	mine := s.presign(signRequest("PUT", "h:1", "/b/a%20b", q, h), "/b/a%20b", q, cr, signTarget{"us-east-1", "s3", now}, time.Hour)
	theirs := signRequest("PUT", "h:1", "/b/a%20b", append(query{{"X-Amz-Expires", "3600"}}, q...), h)
	uri, _, err := v4.NewSigner(plainPath).PresignHTTP(t.Context(), cr, theirs, unsignedPayload, "s3", "us-east-1", now)
	noError(t, err)
	u, err := url.Parse(uri)
	noError(t, err)
	got, err := url.ParseQuery(mine)
	noError(t, err)
	want := u.Query()
	for name := range want {
		if got.Get(name) != want.Get(name) {
			t.Errorf("%s is %q, want %q", name, got.Get(name), want.Get(name))
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestSigningKeyFollowsCredentials(t *testing.T) {
	var s signer
	a := signTarget{"us-east-1", "s3", time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)}
	first := s.signingKey(aws.Credentials{SecretAccessKey: "1"}, a, "20260101")
	if s.signingKey(aws.Credentials{SecretAccessKey: "1"}, a, "20260101") != first {
		t.Error("key was derived twice")
	}
	b := a
	b.region = "eu-west-1"
	for _, k := range []*signingKey{
		s.signingKey(aws.Credentials{SecretAccessKey: "2"}, a, "20260101"),
		s.signingKey(aws.Credentials{SecretAccessKey: "1"}, b, "20260101"),
		s.signingKey(aws.Credentials{SecretAccessKey: "1"}, a, "20260102"),
	} {
		if k.mac == first.mac {
			t.Error("same key for other input")
		}
	}
}
