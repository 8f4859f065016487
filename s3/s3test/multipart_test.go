package s3test_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"hash/crc32"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3/s3test"
)

// create starts an upload and returns its id.
func (r *raw) create(key string, header ...string) string {
	r.t.Helper()
	a := r.want(200, "POST", "/b/"+key+"?uploads", "", header...)
	var got struct{ UploadId string }
	if err := xml.Unmarshal([]byte(a.body), &got); err != nil || got.UploadId == "" {
		r.t.Fatalf("create: %v: %s", err, a.body)
	}
	return got.UploadId
}

// partsXML is the document that completes an upload of these part bodies.
func partsXML(bodies ...string) string {
	var b strings.Builder
	b.WriteString("<CompleteMultipartUpload>")
	for i, p := range bodies {
		fmt.Fprintf(&b, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", i+1, etagOf(p))
	}
	return b.String() + "</CompleteMultipartUpload>"
}

func TestMultipart(t *testing.T) {
	r := newRaw(t, s3test.Options{MinPartSize: 4})
	r.srv.PutObject("b", "src", []byte("0123456789"), nil)
	id := r.create("k", "Content-Type", "text/x", "x-amz-meta-a", "b")
	up := r.want(200, "PUT", "/b/k?partNumber=1&uploadId="+id, "first")
	if up.header.Get("ETag") != etagOf("first") {
		t.Errorf("part ETag = %s", up.header.Get("ETag"))
	}
	r.want(200, "PUT", "/b/k?partNumber=2&uploadId="+id, "", "x-amz-copy-source", "b/src", "x-amz-copy-source-range", "bytes=2-6")
	r.want(200, "PUT", "/b/k?partNumber=3&uploadId="+id, "z")
	if _, _, ok := r.srv.Object("b", "k"); ok {
		t.Fatal("the object is visible before the upload is complete")
	}
	var parts struct {
		IsTruncated          bool
		NextPartNumberMarker int
		Part                 []struct {
			PartNumber int
			Size       int
			ETag       string
		}
	}
	a := r.want(200, "GET", "/b/k?uploadId="+id+"&max-parts=2", "")
	if err := xml.Unmarshal([]byte(a.body), &parts); err != nil {
		t.Fatal(err)
	}
	if !parts.IsTruncated || parts.NextPartNumberMarker != 2 || len(parts.Part) != 2 || parts.Part[1].Size != 5 {
		t.Errorf("parts = %+v", parts)
	}
	a = r.want(200, "POST", "/b/k?uploadId="+id, partsXML("first", "23456", "z"))
	sums := slices.Concat(sum("first"), sum("23456"), sum("z"))
	if want := hex.EncodeToString(sum(string(sums))) + "-3"; !strings.Contains(a.body, want) {
		t.Errorf("ETag is not %s: %s", want, a.body)
	}
	get := r.want(200, "GET", "/b/k", "")
	if get.body != "first23456z" || get.header.Get("Content-Type") != "text/x" || get.header.Get("x-amz-meta-a") != "b" {
		t.Errorf("GET = %q %v", get.body, get.header)
	}
	part := r.want(206, "GET", "/b/k?partNumber=2", "")
	if part.body != "23456" || part.header.Get("x-amz-mp-parts-count") != "3" {
		t.Errorf("part 2 = %q", part.body)
	}
	if a := r.want(404, "POST", "/b/k?uploadId="+id, partsXML("first")); a.code() != "NoSuchUpload" {
		t.Errorf("second complete: %s", a.code())
	}
	if n := r.srv.Uploads("b"); n != 0 {
		t.Errorf("%d uploads left", n)
	}
	// copying it makes an object of one part: the ETag is plain
	r.want(200, "PUT", "/b/copy", "", "x-amz-copy-source", "/b/k")
	if got := r.srv.ETag("b", "copy"); got != etagOf("first23456z") {
		t.Errorf("copy's ETag = %s", got)
	}
}

func sum(s string) []byte {
	m := md5.Sum([]byte(s))
	return m[:]
}

func TestMultipartErrors(t *testing.T) {
	r := newRaw(t, s3test.Options{MinPartSize: 4})
	r.srv.PutObject("b", "k", []byte("old"), nil)
	id := r.create("k")
	r.want(200, "PUT", "/b/k?partNumber=1&uploadId="+id, "abc")
	r.want(200, "PUT", "/b/k?partNumber=2&uploadId="+id, "def")
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
		code       string
	}{
		{"too small", partsXML("abc", "def"), nil, 400, "EntityTooSmall"},
		{"wrong ETag", partsXML("xyz"), nil, 400, "InvalidPart"},
		{"absent part", partsXML("abc", "def", "ghi"), nil, 400, "InvalidPart"},
		{"no parts", partsXML(), nil, 400, "MalformedXML"},
		{"not XML", "hello", nil, 400, "MalformedXML"},
		{"exists", partsXML("abc"), []string{"If-None-Match", "*"}, 412, "PreconditionFailed"},
		{"other version", partsXML("abc"), []string{"If-Match", `"x"`}, 412, "PreconditionFailed"},
	} {
		if a := r.want(c.status, "POST", "/b/k?uploadId="+id, c.body, c.header...); a.code() != c.code {
			t.Errorf("%s: %s, want %s", c.name, a.code(), c.code)
		}
	}
	order := `<CompleteMultipartUpload><Part><PartNumber>2</PartNumber><ETag>` + etagOf("def") +
		`</ETag></Part><Part><PartNumber>1</PartNumber><ETag>` + etagOf("abc") + `</ETag></Part></CompleteMultipartUpload>`
	if a := r.want(400, "POST", "/b/k?uploadId="+id, order); a.code() != "InvalidPartOrder" {
		t.Errorf("order: %s", a.code())
	}
	for _, n := range []string{"0", "10001", "x", ""} {
		if a := r.want(400, "PUT", "/b/k?uploadId="+id+"&partNumber="+n, "x"); a.code() != "InvalidArgument" {
			t.Errorf("part %s: %s", n, a.code())
		}
	}
	r.want(200, "POST", "/b/k?uploadId="+id, partsXML("abc"), "If-Match", etagOf("old"))
	id = r.create("k")
	r.want(204, "DELETE", "/b/k?uploadId="+id, "")
	if a := r.want(404, "DELETE", "/b/k?uploadId="+id, ""); a.code() != "NoSuchUpload" {
		t.Errorf("second abort: %s", a.code())
	}
}

func TestListUploads(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	var want []string
	for _, k := range []string{"c", "a/1", "a/2", "b", "b"} {
		want = append(want, k+" "+r.create(k))
	}
	slices.Sort(want)
	type page struct {
		IsTruncated                       bool
		NextKeyMarker, NextUploadIdMarker string
		Upload                            []struct{ Key, UploadId string }
		CommonPrefixes                    []struct{ Prefix string }
	}
	read := func(query string) (p page) {
		a := r.want(200, "GET", "/b?uploads&"+query, "")
		if err := xml.Unmarshal([]byte(a.body), &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, size := range []int{1, 2, 1000} {
		var got []string
		query := fmt.Sprintf("max-uploads=%d", size)
		for p := read(query); ; p = read(query + "&key-marker=" + p.NextKeyMarker + "&upload-id-marker=" + p.NextUploadIdMarker) {
			for _, u := range p.Upload {
				got = append(got, u.Key+" "+u.UploadId)
			}
			if !p.IsTruncated {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("pages of %d: %q, want %q", size, got, want)
		}
	}
	if p := read("delimiter=/"); fmt.Sprint(p.CommonPrefixes) != "[{a/}]" || len(p.Upload) != 3 {
		t.Errorf("delimiter: %+v", p)
	}
	if p := read("prefix=a/"); len(p.Upload) != 2 {
		t.Errorf("prefix: %+v", p)
	}
}

// crc32c is the checksum as S3 writes it.
func crc32c(s string) string {
	sum := crc32.Checksum([]byte(s), crc32.MakeTable(crc32.Castagnoli))
	return base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, sum))
}

// chunkedBody is s in unsigned aws-chunked encoding.
func chunkedBody(s string, size int, trailer string) string {
	var b strings.Builder
	for len(s) > 0 {
		n := min(size, len(s))
		fmt.Fprintf(&b, "%x\r\n%s\r\n", n, s[:n])
		s = s[n:]
	}
	return b.String() + "0\r\n" + trailer + "\r\n"
}

func TestChecksums(t *testing.T) {
	const body = "123456789"
	const crc64 = "rosUhgp5mIg=" // CRC-64/NVME's check value ae8b14860a799888
	chunked := []string{"x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "Content-Encoding", "aws-chunked,gzip",
		"x-amz-decoded-content-length", "9", "x-amz-trailer"}
	for _, c := range []struct {
		name, body string
		header     []string
		status     int
		code       string
	}{
		{"crc32c", body, []string{"x-amz-checksum-crc32c", crc32c(body)}, 200, ""},
		{"crc64nvme", body, []string{"x-amz-checksum-crc64nvme", crc64}, 200, ""},
		{"wrong crc32c", body, []string{"x-amz-checksum-crc32c", crc32c("x")}, 400, "BadDigest"},
		{"malformed crc32c", body, []string{"x-amz-checksum-crc32c", "xx"}, 400, "InvalidRequest"},
		{"md5", body, []string{"Content-MD5", base64.StdEncoding.EncodeToString(sum(body))}, 200, ""},
		{"wrong md5", body, []string{"Content-MD5", base64.StdEncoding.EncodeToString(sum("x"))}, 400, "BadDigest"},
		{"malformed md5", body, []string{"Content-MD5", "x"}, 400, "InvalidDigest"},
		{"sha256", body, []string{"x-amz-content-sha256", strings.Repeat("0", 64)}, 400, "XAmzContentSHA256Mismatch"},
		{"trailer crc32c", chunkedBody(body, 4, "x-amz-checksum-crc32c:"+crc32c(body)+"\r\n"), append(chunked, "x-amz-checksum-crc32c"), 200, ""},
		{"trailer crc64", chunkedBody(body, 9, "x-amz-checksum-crc64nvme:"+crc64+"\r\n"), append(chunked, "x-amz-checksum-crc64nvme"), 200, ""},
		{"wrong trailer", chunkedBody(body, 4, "x-amz-checksum-crc32c:"+crc32c("x")+"\r\n"), append(chunked, "x-amz-checksum-crc32c"), 400, "BadDigest"},
		{"no trailer", chunkedBody(body, 4, ""), append(chunked, "x-amz-checksum-crc32c"), 400, "MalformedTrailerError"},
		{"short", chunkedBody(body[:5], 4, "x-amz-checksum-crc32c:"+crc32c(body)+"\r\n"), append(chunked, "x-amz-checksum-crc32c"), 400, "IncompleteBody"},
		{"not chunked", body, append(chunked, "x-amz-checksum-crc32c"), 400, "IncompleteBody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRaw(t, s3test.Options{})
			a := r.want(c.status, "PUT", "/b/k", c.body, c.header...)
			if a.code() != c.code {
				t.Errorf("code = %s, want %s", a.code(), c.code)
			}
			got, _, ok := r.srv.Object("b", "k")
			if ok != (c.status == 200) || ok && string(got) != body {
				t.Errorf("object = %q %t", got, ok)
			}
			if c.header[0] == "x-amz-content-sha256" && c.status == 200 {
				get := r.want(200, "GET", "/b/k", "", "x-amz-checksum-mode", "ENABLED")
				if get.header.Get("Content-Encoding") != "gzip" {
					t.Errorf("Content-Encoding = %q", get.header.Get("Content-Encoding"))
				}
				if get.header.Get("x-amz-checksum-crc32c")+get.header.Get("x-amz-checksum-crc64nvme") == "" {
					t.Error("no checksum in the answer")
				}
			}
		})
	}
}

func TestUploadChecksums(t *testing.T) {
	r := newRaw(t, s3test.Options{MinPartSize: 1})
	plain := r.create("plain")
	if a := r.want(400, "PUT", "/b/plain?partNumber=1&uploadId="+plain, "x", "x-amz-checksum-crc32c", crc32c("x")); a.code() != "InvalidRequest" {
		t.Errorf("checksum for an upload without: %s", a.code())
	}
	id := r.create("k", "x-amz-checksum-algorithm", "CRC32C")
	if a := r.want(400, "PUT", "/b/k?partNumber=1&uploadId="+id, "x"); a.code() != "InvalidRequest" {
		t.Errorf("part without checksum: %s", a.code())
	}
	r.want(200, "PUT", "/b/k?partNumber=1&uploadId="+id, "x", "x-amz-checksum-crc32c", crc32c("x"))
	if a := r.want(400, "POST", "/b/k?uploadId="+id, partsXML("x")); a.code() != "InvalidRequest" {
		t.Errorf("complete without checksum: %s", a.code())
	}
	done := strings.Replace(partsXML("x"), "</ETag>", "</ETag><ChecksumCRC32C>"+crc32c("x")+"</ChecksumCRC32C>", 1)
	a := r.want(200, "POST", "/b/k?uploadId="+id, done)
	raw, err := base64.StdEncoding.DecodeString(crc32c("x"))
	if err != nil {
		t.Fatal(err)
	}
	if want := crc32c(string(raw)) + "-1"; !strings.Contains(a.body, want) {
		t.Errorf("no composite checksum %s in %s", want, a.body)
	}
}
