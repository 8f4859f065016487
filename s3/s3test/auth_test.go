package s3test_test

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3/s3test"
)

// The requests below are the worked examples of S3's documentation
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html,
// .../sigv4-streaming.html and .../sigv4-query-string-auth.html).
const (
	exampleKey    = "AKIAIOSFODNN7EXAMPLE"
	exampleSecret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
	exampleScope  = "AWS4-HMAC-SHA256 Credential=" + exampleKey + "/20130524/us-east-1/s3/aws4_request,"
	emptySHA256   = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

// example is a server at the time and under the name of the examples.
func example(t *testing.T) *raw {
	return newRaw(t, s3test.Options{
		AccessKey: exampleKey, SecretKey: exampleSecret, Domain: "s3.amazonaws.com", Buckets: []string{"examplebucket"},
		Now: func() time.Time { return time.Date(2013, 5, 24, 0, 0, 10, 0, time.UTC) },
	})
}

// send sends a request to examplebucket's host, unless header names another.
func (r *raw) send(method, target, body string, header map[string]string) answer {
	r.t.Helper()
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.srv.URL()+target, strings.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Host = "examplebucket.s3.amazonaws.com"
	for k, v := range header {
		if k == "Host" {
			req.Host = v
			continue
		}
		req.Header.Set(k, v)
	}
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer res.Body.Close()
	got, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(got)}
}

func TestSignatureInHeader(t *testing.T) {
	r := example(t)
	r.srv.PutObject("examplebucket", "test.txt", []byte("0123456789abcdef"), nil)
	header := map[string]string{
		"Range": "bytes=0-9", "x-amz-content-sha256": emptySHA256, "x-amz-date": "20130524T000000Z",
		"Authorization": exampleScope + "SignedHeaders=host;range;x-amz-content-sha256;x-amz-date," +
			"Signature=f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
	}
	if a := r.send("GET", "/test.txt", "", header); a.status != 206 || a.body != "0123456789" {
		t.Errorf("GET = %d %s", a.status, a.body)
	}
	header["Range"] = "bytes=0-8"
	if a := r.send("GET", "/test.txt", "", header); a.status != 403 || a.code() != "SignatureDoesNotMatch" {
		t.Errorf("GET of another range = %d %s", a.status, a.body)
	}
	delete(header, "Authorization")
	if a := r.send("GET", "/test.txt", "", header); a.status != 403 || a.code() != "AccessDenied" {
		t.Errorf("unsigned GET = %d %s", a.status, a.body)
	}
}

func TestSignatureOfList(t *testing.T) {
	r := example(t)
	header := map[string]string{
		"x-amz-content-sha256": emptySHA256, "x-amz-date": "20130524T000000Z",
		"Authorization": exampleScope + "SignedHeaders=host;x-amz-content-sha256;x-amz-date," +
			"Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
	}
	if a := r.send("GET", "/?max-keys=2&prefix=J", "", header); a.status != 200 {
		t.Errorf("LIST = %d %s", a.status, a.body)
	}
	header["Authorization"] = strings.Replace(header["Authorization"], "us-east-1", "eu-west-1", 1)
	a := r.send("GET", "/?max-keys=2&prefix=J", "", header)
	if a.code() != "AuthorizationHeaderMalformed" || a.header.Get("x-amz-bucket-region") != "us-east-1" {
		t.Errorf("LIST signed for another region = %d %s", a.status, a.body)
	}
	header["Authorization"] = strings.NewReplacer("eu-west-1", "us-east-1", exampleKey, "OTHER").Replace(header["Authorization"])
	if a := r.send("GET", "/?max-keys=2&prefix=J", "", header); a.code() != "InvalidAccessKeyId" {
		t.Errorf("LIST with another key = %d %s", a.status, a.body)
	}
}

func TestSignatureOfPut(t *testing.T) {
	r := example(t)
	header := map[string]string{
		"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-date": "20130524T000000Z", "x-amz-storage-class": "REDUCED_REDUNDANCY",
		"x-amz-content-sha256": "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
		"Authorization": exampleScope + "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class," +
			"Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
	}
	if a := r.send("PUT", "/test%24file.text", "Welcome to Amazon S3.", header); a.status != 200 {
		t.Errorf("PUT = %d %s", a.status, a.body)
	}
	if a := r.send("PUT", "/test%24file.text", "Welcome to Amazon S4.", header); a.code() != "XAmzContentSHA256Mismatch" {
		t.Errorf("PUT of other bytes = %d %s", a.status, a.body)
	}
	header["x-amz-meta-more"] = "x"
	if a := r.send("PUT", "/test%24file.text", "Welcome to Amazon S3.", header); a.code() != "AccessDenied" {
		t.Errorf("PUT with an unsigned header = %d %s", a.status, a.body)
	}
}

func TestSignatureOfChunks(t *testing.T) {
	r := example(t)
	header := map[string]string{
		"x-amz-date": "20130524T000000Z", "x-amz-storage-class": "REDUCED_REDUNDANCY",
		"x-amz-content-sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD", "Content-Encoding": "aws-chunked",
		"x-amz-decoded-content-length": "66560", "Content-Length": "66824",
		"Authorization": exampleScope + "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;" +
			"x-amz-decoded-content-length;x-amz-storage-class," +
			"Signature=4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
	}
	chunk := func(size, signature, data string) string {
		return size + ";chunk-signature=" + signature + "\r\n" + data + "\r\n"
	}
	first := chunk("10000", "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648", strings.Repeat("a", 65536))
	second := chunk("400", "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497", strings.Repeat("a", 1024))
	last := chunk("0", "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9", "")
	header["Host"] = "s3.amazonaws.com"
	send := func(body string) answer { return r.send("PUT", "/examplebucket/chunkObject.txt", body, header) }
	if a := send(first + second + last); a.status != 200 {
		t.Errorf("PUT = %d %s", a.status, a.body)
	}
	if got, _, _ := r.srv.Object("examplebucket", "chunkObject.txt"); string(got) != strings.Repeat("a", 66560) {
		t.Errorf("object has %d bytes", len(got))
	}
	if a := send(first + strings.Replace(second, "aaaa", "aaab", 1) + last); a.status != 403 {
		t.Errorf("PUT of a forged chunk = %d %s", a.status, a.body)
	}
}

func TestPresigned(t *testing.T) {
	r := example(t)
	r.srv.PutObject("examplebucket", "test.txt", []byte("text"), nil)
	const target = "/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request" +
		"&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host" +
		"&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
	if a := r.send("GET", target, "", nil); a.status != 200 || a.body != "text" {
		t.Errorf("GET = %d %s", a.status, a.body)
	}
	if a := r.send("GET", strings.Replace(target, "86400", "86401", 1), "", nil); a.code() != "SignatureDoesNotMatch" {
		t.Errorf("GET with another expiry = %d %s", a.status, a.body)
	}
	if a := r.send("GET", strings.Replace(target, "86400", "5", 1), "", nil); a.code() != "AccessDenied" {
		t.Errorf("expired GET = %d %s", a.status, a.body)
	}
}

func TestDeny(t *testing.T) {
	r := newRaw(t, s3test.Options{Deny: func(kind, _, key string) bool { return kind == "GetObject" && key == "secret" }})
	r.want(200, "PUT", "/b/secret", "x")
	if a := r.want(403, "GET", "/b/secret", ""); a.code() != "AccessDenied" {
		t.Errorf("code = %s", a.code())
	}
	if a := r.want(403, "PUT", "/b/copy", "", "x-amz-copy-source", "b/secret"); a.code() != "AccessDenied" {
		t.Errorf("copy: %s", a.code())
	}
	r.want(200, "HEAD", "/b/secret", "")
}
