package s3test_test

import (
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/s3/s3test"
)

func TestVersions(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	r.want(200, "PUT", "/b/k", "zero")
	r.want(200, "PUT", "/b?versioning", "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>")
	one := r.want(200, "PUT", "/b/k", "one").header.Get("x-amz-version-id")
	two := r.want(200, "PUT", "/b/k", "two").header.Get("x-amz-version-id")
	for version, want := range map[string]string{"": "two", "&versionId=" + one: "one", "&versionId=" + two: "two", "&versionId=null": "zero"} {
		if a := r.want(200, "GET", "/b/k?x"+version, ""); a.body != want {
			t.Errorf("version %q = %q, want %q", version, a.body, want)
		}
	}
	del := r.want(204, "DELETE", "/b/k", "")
	marker := del.header.Get("x-amz-version-id")
	if del.header.Get("x-amz-delete-marker") != "true" || marker == "" {
		t.Errorf("DELETE = %v", del.header)
	}
	if a := r.want(404, "HEAD", "/b/k", ""); a.header.Get("x-amz-delete-marker") != "true" {
		t.Errorf("HEAD of a deleted object: %v", a.header)
	}
	r.want(405, "GET", "/b/k?versionId="+marker, "")
	r.want(404, "GET", "/b/k?versionId=other", "")
	if keys, _, _ := r.rows(""); len(keys) != 0 {
		t.Errorf("keys = %q", keys)
	}
	r.want(200, "PUT", "/b/a", "a")
	if got := r.versions(); got != "a:v:true k:d:true k:v:false k:v:false k:v:false" {
		t.Errorf("versions = %s", got)
	}
	r.want(204, "DELETE", "/b/k?versionId="+marker, "")
	if a := r.want(200, "GET", "/b/k", ""); a.body != "two" {
		t.Errorf("without the marker: %q", a.body)
	}
	for _, v := range []string{two, one, "null"} {
		r.want(204, "DELETE", "/b/k?versionId="+v, "")
	}
	r.want(404, "GET", "/b/k", "")
	if got := r.versions(); got != "a:v:true" {
		t.Errorf("versions = %s", got)
	}
}

// versions lists all versions in pages of two, as key:kind:latest.
func (r *raw) versions() string {
	r.t.Helper()
	var out []string
	query := "/b?versions&max-keys=2"
	for {
		var got struct {
			IsTruncated                        bool
			NextKeyMarker, NextVersionIdMarker string
			Rows                               []struct {
				XMLName  xml.Name
				Key      string
				IsLatest bool
			} `xml:",any"`
		}
		a := r.want(200, "GET", query, "")
		if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
			r.t.Fatal(err)
		}
		for _, row := range got.Rows {
			switch row.XMLName.Local {
			case "Version":
				out = append(out, fmt.Sprintf("%s:v:%t", row.Key, row.IsLatest))
			case "DeleteMarker":
				out = append(out, fmt.Sprintf("%s:d:%t", row.Key, row.IsLatest))
			}
		}
		if !got.IsTruncated {
			return strings.Join(out, " ")
		}
		query = "/b?versions&max-keys=2&key-marker=" + got.NextKeyMarker + "&version-id-marker=" + got.NextVersionIdMarker
	}
}

func TestTags(t *testing.T) {
	r := newRaw(t, s3test.Options{Versioning: true})
	r.want(200, "PUT", "/b/k", "x", "x-amz-tagging", "a=1&b=%C3%BC")
	if a := r.want(200, "HEAD", "/b/k", ""); a.header.Get("x-amz-tagging-count") != "2" {
		t.Errorf("tagging count: %v", a.header)
	}
	if a := r.want(200, "GET", "/b/k?tagging", ""); !strings.Contains(a.body, "<Tag><Key>b</Key><Value>ü</Value></Tag>") {
		t.Errorf("tags = %s", a.body)
	}
	r.want(200, "PUT", "/b/k?tagging", "<Tagging><TagSet><Tag><Key>c</Key><Value>3</Value></Tag></TagSet></Tagging>")
	r.want(200, "PUT", "/b/copy", "", "x-amz-copy-source", "b/k")
	if a := r.want(200, "GET", "/b/copy?tagging", ""); !strings.Contains(a.body, "<Key>c</Key>") || strings.Contains(a.body, "<Key>b</Key>") {
		t.Errorf("tags of the copy = %s", a.body)
	}
	r.want(204, "DELETE", "/b/k?tagging", "")
	if a := r.want(200, "GET", "/b/k", ""); a.body != "x" || a.header.Get("x-amz-tagging-count") != "" {
		t.Errorf("after the tags were deleted: %q %v", a.body, a.header)
	}
	r.want(400, "PUT", "/b/k", "x", "x-amz-tagging", "a=1&b=1&c=1&d=1&e=1&f=1&g=1&h=1&i=1&j=1&k=1")
}

func TestCopy(t *testing.T) {
	r := newRaw(t, s3test.Options{Buckets: []string{"b", "other"}, MaxPutSize: 100})
	src := []string{"x-amz-copy-source", "/other/%C3%BC%2B%20%25"}
	r.want(200, "PUT", "/other/%C3%BC%2B%20%25", "bytes", "Content-Type", "text/x", "x-amz-meta-a", "1", "x-amz-tagging", "t=1")
	r.want(200, "PUT", "/b/kept", "", src...)
	if a := r.want(200, "GET", "/b/kept", ""); a.body != "bytes" || a.header.Get("Content-Type") != "text/x" ||
		a.header.Get("x-amz-meta-a") != "1" || a.header.Get("x-amz-tagging-count") != "1" {
		t.Errorf("kept: %q %v", a.body, a.header)
	}
	r.want(200, "PUT", "/b/replaced", "", append(src, "x-amz-metadata-directive", "REPLACE", "x-amz-meta-b", "2")...)
	if a := r.want(200, "GET", "/b/replaced", ""); a.body != "bytes" || a.header.Get("Content-Type") != "binary/octet-stream" ||
		a.header.Get("x-amz-meta-a") != "" || a.header.Get("x-amz-meta-b") != "2" {
		t.Errorf("replaced: %q %v", a.body, a.header)
	}
	if a := r.want(400, "PUT", "/b/kept", "", "x-amz-copy-source", "b/kept"); a.code() != "InvalidRequest" {
		t.Errorf("copy onto itself: %s", a.code())
	}
	r.want(200, "PUT", "/b/kept", "", "x-amz-copy-source", "b/kept", "x-amz-metadata-directive", "REPLACE")
	if a := r.want(404, "PUT", "/b/k", "", "x-amz-copy-source", "b/absent"); a.code() != "NoSuchKey" {
		t.Errorf("absent source: %s", a.code())
	}
	r.srv.PutObject("b", "large", make([]byte, 101), nil)
	if a := r.want(400, "PUT", "/b/k", "", "x-amz-copy-source", "b/large"); a.code() != "InvalidRequest" {
		t.Errorf("large source: %s", a.code())
	}
	if a := r.want(400, "PUT", "/b/k", strings.Repeat("x", 101)); a.code() != "EntityTooLarge" {
		t.Errorf("large body: %s", a.code())
	}
}

// customer is the headers of an SSE-C key.
func customer(prefix string, fill byte) []string {
	key := slices.Repeat([]byte{fill}, 32)
	sum := md5.Sum(key)
	return []string{
		prefix + "algorithm", "AES256", prefix + "key", base64.StdEncoding.EncodeToString(key),
		prefix + "key-MD5", base64.StdEncoding.EncodeToString(sum[:]),
	}
}

func TestEncryption(t *testing.T) {
	const mine = "x-amz-server-side-encryption-customer-"
	const source = "x-amz-copy-source-server-side-encryption-customer-"
	r := newRaw(t, s3test.Options{})
	a := r.want(200, "PUT", "/b/k", "x", customer(mine, 1)...)
	if a.header.Get(mine+"algorithm") != "AES256" {
		t.Errorf("PUT = %v", a.header)
	}
	r.want(400, "GET", "/b/k", "")
	r.want(403, "GET", "/b/k", "", customer(mine, 2)...)
	r.want(200, "GET", "/b/k", "", customer(mine, 1)...)
	r.want(400, "PUT", "/b/copy", "", "x-amz-copy-source", "b/k")
	r.want(200, "PUT", "/b/copy", "", append(customer(source, 1), "x-amz-copy-source", "b/k")...)
	r.want(200, "GET", "/b/copy", "")
	r.want(400, "GET", "/b/copy", "", customer(mine, 1)...)
	r.want(200, "PUT", "/b/kms", "x", "x-amz-server-side-encryption", "aws:kms", "x-amz-server-side-encryption-aws-kms-key-id", "id")
	if a := r.want(200, "HEAD", "/b/kms", ""); a.header.Get("x-amz-server-side-encryption-aws-kms-key-id") != "id" {
		t.Errorf("HEAD = %v", a.header)
	}
}

func TestBuckets(t *testing.T) {
	r := newRaw(t, s3test.Options{Region: "eu-west-1"})
	r.want(200, "PUT", "/new", "")
	if a := r.want(409, "PUT", "/new", ""); a.code() != "BucketAlreadyOwnedByYou" {
		t.Errorf("code = %s", a.code())
	}
	if a := r.want(200, "HEAD", "/new", ""); a.header.Get("x-amz-bucket-region") != "eu-west-1" {
		t.Errorf("HEAD = %v", a.header)
	}
	if a := r.want(200, "GET", "/new?location", ""); !strings.Contains(a.body, ">eu-west-1<") {
		t.Errorf("location = %s", a.body)
	}
	if a := r.want(200, "GET", "/", ""); !strings.Contains(a.body, "<Name>b</Name>") || !strings.Contains(a.body, "<Name>new</Name>") {
		t.Errorf("buckets = %s", a.body)
	}
	r.want(200, "PUT", "/new/k", "x")
	if a := r.want(409, "DELETE", "/new", ""); a.code() != "BucketNotEmpty" {
		t.Errorf("code = %s", a.code())
	}
	r.want(204, "DELETE", "/new/k", "")
	r.want(204, "DELETE", "/new", "")
	r.want(404, "HEAD", "/new", "")
}

func TestListV1(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	for _, k := range []string{"a", "d/1", "d/2", "e"} {
		r.srv.PutObject("b", k, nil, nil)
	}
	a := r.want(200, "GET", "/b?delimiter=/&max-keys=2", "")
	if !strings.Contains(a.body, "<NextMarker>d/</NextMarker>") || !strings.Contains(a.body, "<Prefix>d/</Prefix>") {
		t.Errorf("first page = %s", a.body)
	}
	a = r.want(200, "GET", "/b?delimiter=/&max-keys=2&marker=d/", "")
	if strings.Contains(a.body, "<CommonPrefixes>") || !strings.Contains(a.body, "<Key>e</Key>") {
		t.Errorf("second page = %s", a.body)
	}
}

func TestOtherServers(t *testing.T) {
	match := []string{"If-Match", etagOf("old")}
	for _, c := range []struct {
		name   string
		o      s3test.Options
		header []string
		status int
	}{
		{"ignores conditions", s3test.Options{NoConditionalWrites: true}, []string{"If-Match", `"x"`}, 200},
		{"refuses conditions", s3test.Options{NotImplementedConditional: true}, match, 501},
		{"wants unquoted, gets quoted", s3test.Options{UnquotedETags: true}, match, 412},
		{"wants unquoted", s3test.Options{UnquotedETags: true}, []string{"If-Match", strings.Trim(etagOf("old"), `"`)}, 200},
		{"refuses trailers", s3test.Options{NoTrailers: true}, []string{
			"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "x-amz-decoded-content-length", "1",
		}, 501},
	} {
		r := newRaw(t, c.o)
		r.srv.PutObject("b", "k", []byte("old"), nil)
		if a := r.do("PUT", "/b/k", "new", c.header...); a.status != c.status {
			t.Errorf("%s: %d, want %d", c.name, a.status, c.status)
		}
	}
	for _, c := range []struct {
		o    s3test.Options
		want string
	}{
		{s3test.Options{}, "<Key>a%20%2B/%01</Key>"},
		{s3test.Options{PlusEncoding: true}, "<Key>a+%2B/%01</Key>"},
		{s3test.Options{NoURLEncoding: true}, "<Key>a +/&#x1;</Key>"},
	} {
		r := newRaw(t, c.o)
		r.srv.PutObject("b", "a +/\x01", nil, nil)
		if a := r.want(200, "GET", "/b?list-type=2&encoding-type=url", ""); !strings.Contains(a.body, c.want) {
			t.Errorf("no %s in %s", c.want, a.body)
		}
	}
}

func TestClockAndTLS(t *testing.T) {
	now := time.Date(2020, 1, 2, 3, 4, 5, 6, time.UTC)
	r := newRaw(t, s3test.Options{TLS: true, Now: func() time.Time { return now }})
	a := r.want(200, "PUT", "/b/k", "x")
	if a.header.Get("Date") != "Thu, 02 Jan 2020 03:04:05 GMT" {
		t.Errorf("Date = %s", a.header.Get("Date"))
	}
	if a := r.want(200, "HEAD", "/b/k", ""); a.header.Get("Last-Modified") != "Thu, 02 Jan 2020 03:04:05 GMT" {
		t.Errorf("Last-Modified = %s", a.header.Get("Last-Modified"))
	}
	if l := r.list(""); l.Contents[0].LastModified != "2020-01-02T03:04:05.250Z" {
		t.Errorf("listed as %s", l.Contents[0].LastModified)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: r.srv.RootCAs()}}
	defer transport.CloseIdleConnections()
	r.client.Transport = transport
	r.want(200, "HEAD", "/b/k", "")
}

func TestDirect(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	etag := r.srv.PutRepeated("b", "huge", []byte("0123456789"), 5<<40, map[string]string{"a": "1"})
	a := r.want(206, "GET", "/b/huge", "", "Range", fmt.Sprintf("bytes=%d-%d", int64(4<<40), int64(4<<40)+5))
	want := ""
	for i := int64(4 << 40); i <= 4<<40+5; i++ {
		want += fmt.Sprint(i % 10)
	}
	if a.body != want || a.header.Get("ETag") != etag || a.header.Get("x-amz-meta-a") != "1" {
		t.Errorf("range of a huge object = %q, want %q", a.body, want)
	}
	r.srv.SeedN("b", "seed/%03d", 3, []byte("same"))
	if got := strings.Join(r.srv.Keys("b"), " "); got != "huge seed/000 seed/001 seed/002" {
		t.Errorf("keys = %s", got)
	}
	body, meta, ok := r.srv.Object("b", "seed/001")
	if string(body) != "same" || len(meta) != 0 || !ok || r.srv.ETag("b", "seed/001") != etagOf("same") {
		t.Errorf("object = %q %v %t", body, meta, ok)
	}
	r.srv.RemoveObject("b", "seed/001")
	if _, _, ok := r.srv.Object("b", "seed/001"); ok || r.srv.ETag("b", "seed/001") != "" {
		t.Error("the object is still there")
	}
	log := r.srv.Log()
	if len(log) != 1 || log[0].Kind != "GetObject" || log[0].Key != "huge" || log[0].Status != 206 || log[0].Header.Get("Range") == "" {
		t.Errorf("log = %+v", log)
	}
}

func TestOptionsValidate(t *testing.T) {
	for _, o := range []s3test.Options{
		{AccessKey: "a"}, {SecretKey: "a"}, {SessionToken: "a"}, {TLS: true, InMemory: true},
		{MinPartSize: -1}, {MaxPutSize: -1}, {MaxKeys: 1001}, {LogSize: -1},
	} {
		if s, err := s3test.Start(o); err == nil {
			s.Close()
			t.Errorf("%+v is accepted", o)
		}
	}
}
