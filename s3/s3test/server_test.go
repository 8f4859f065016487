package s3test_test

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"encoding/xml"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/s3/s3test"
)

func etagOf(body string) string {
	sum := md5.Sum([]byte(body))
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func TestPutGetHeadDelete(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	put := r.want(200, "PUT", "/b/dir/key", "hello world", "Content-Type", "text/plain",
		"Cache-Control", "no-cache", "x-amz-meta-Mode", "0644", "x-amz-storage-class", "STANDARD_IA")
	if got := put.header.Get("ETag"); got != etagOf("hello world") {
		t.Errorf("ETag = %s", got)
	}
	get := r.want(200, "GET", "/b/dir/key", "")
	if get.body != "hello world" || get.header.Get("Content-Type") != "text/plain" ||
		get.header.Get("x-amz-meta-mode") != "0644" || get.header.Get("Cache-Control") != "no-cache" ||
		get.header.Get("x-amz-storage-class") != "STANDARD_IA" || get.header.Get("ETag") != etagOf("hello world") {
		t.Errorf("GET = %q %v", get.body, get.header)
	}
	head := r.want(200, "HEAD", "/b/dir/key", "")
	if head.header.Get("Content-Length") != "11" || head.body != "" {
		t.Errorf("HEAD = %q %v", head.body, head.header)
	}
	r.want(204, "DELETE", "/b/dir/key", "")
	r.want(204, "DELETE", "/b/dir/key", "")
	if a := r.want(404, "GET", "/b/dir/key", ""); a.code() != "NoSuchKey" {
		t.Errorf("code = %s", a.code())
	}
	if a := r.want(404, "GET", "/nowhere/key", ""); a.code() != "NoSuchBucket" {
		t.Errorf("code = %s", a.code())
	}
	want := map[string]int{"PutObject": 1, "GetObject": 3, "HeadObject": 1, "DeleteObject": 2}
	if got := r.srv.Requests(); fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("Requests = %v, want %v", got, want)
	}
	r.srv.Reset()
	if got := r.srv.Total(); got != 0 {
		t.Errorf("Total after Reset = %d", got)
	}
}

func TestRanges(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	r.srv.PutObject("b", "k", []byte("0123456789"), nil)
	r.srv.PutObject("b", "empty", nil, nil)
	for _, c := range []struct {
		key, asked string
		status     int
		body, got  string
	}{
		{"k", "bytes=0-0", 206, "0", "bytes 0-0/10"},
		{"k", "bytes=3-5", 206, "345", "bytes 3-5/10"},
		{"k", "bytes=7-", 206, "789", "bytes 7-9/10"},
		{"k", "bytes=7-99", 206, "789", "bytes 7-9/10"},
		{"k", "bytes=-3", 206, "789", "bytes 7-9/10"},
		{"k", "bytes=-99", 206, "0123456789", "bytes 0-9/10"},
		{"k", "bytes=10-", 416, "", ""},
		{"k", "bytes=-0", 416, "", ""},
		{"k", "bytes=5-3", 200, "0123456789", ""},
		{"k", "bytes=a-b", 200, "0123456789", ""},
		{"k", "bytes=0-1,3-4", 200, "0123456789", ""},
		{"empty", "bytes=0-", 416, "", ""},
		{"empty", "bytes=-1", 416, "", ""},
	} {
		a := r.want(c.status, "GET", "/b/"+c.key, "", "Range", c.asked)
		if c.status == 416 {
			if a.code() != "InvalidRange" {
				t.Errorf("%s: code = %s", c.asked, a.code())
			}
			continue
		}
		if a.body != c.body || a.header.Get("Content-Range") != c.got {
			t.Errorf("%s: %q, Content-Range %q", c.asked, a.body, a.header.Get("Content-Range"))
		}
	}
}

// listed is what a LIST answers.
type listed struct {
	IsTruncated           bool
	NextContinuationToken string
	KeyCount, MaxKeys     int
	EncodingType          string
	Contents              []struct {
		Key, ETag, StorageClass, LastModified string
		Size                                  int64
	}
	CommonPrefixes []struct{ Prefix string }
}

func (r *raw) list(query string) listed {
	r.t.Helper()
	a := r.want(200, "GET", "/b?list-type=2&"+query, "")
	var l listed
	if err := xml.Unmarshal([]byte(a.body), &l); err != nil {
		r.t.Fatalf("list %s: %v\n%s", query, err, a.body)
	}
	return l
}

// rows are the keys and common prefixes of all pages, unescaped, each kind in order.
func (r *raw) rows(query string) (keys, prefixes []string, pages int) {
	r.t.Helper()
	for token := ""; ; pages++ {
		q := query + "&encoding-type=url"
		if token != "" {
			q += "&continuation-token=" + url.QueryEscape(token)
		}
		l := r.list(q)
		if l.KeyCount != len(l.Contents)+len(l.CommonPrefixes) {
			r.t.Fatalf("KeyCount = %d of %d rows", l.KeyCount, len(l.Contents)+len(l.CommonPrefixes))
		}
		for _, c := range l.Contents {
			keys = append(keys, r.unescape(c.Key))
		}
		for _, c := range l.CommonPrefixes {
			prefixes = append(prefixes, r.unescape(c.Prefix))
		}
		if token = l.NextContinuationToken; !l.IsTruncated {
			return keys, prefixes, pages + 1
		}
	}
}

func (r *raw) unescape(s string) string {
	r.t.Helper()
	out, err := url.PathUnescape(s)
	if err != nil {
		r.t.Fatal(err)
	}
	return out
}

// oddKeys are keys that no filesystem can hold as they are.
func oddKeys() []string {
	keys := []string{
		"a", "a/b", "a//b", "a/", "/lead", "//", ".", "..", "x/./y", "x/../y", "x/..", " ", "+", "a b+c%20d", "%2F",
		"\x01\x02\x1f", "tab\tline\nreturn\r", "\x7f", "<&>\"'", "ü/日本/𝕏", "\u0000nul", strings.Repeat("k", 1024),
		"~", "a!b", "a-b", "?q=1&r#f;", "\uffff",
	}
	slices.Sort(keys)
	return keys
}

func TestOddKeys(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	for _, k := range oddKeys() {
		r.want(200, "PUT", "/b/"+url.PathEscape(k), k)
	}
	keys, _, _ := r.rows("")
	if !slices.Equal(keys, oddKeys()) {
		t.Errorf("keys = %q\nwant   %q", keys, oddKeys())
	}
	for _, k := range oddKeys() {
		if a := r.want(200, "GET", "/b/"+url.PathEscape(k), ""); a.body != k {
			t.Errorf("GET %q = %q", k, a.body)
		}
	}
	if a := r.want(400, "PUT", "/b/"+strings.Repeat("k", 1025), ""); a.code() != "KeyTooLongError" {
		t.Errorf("code = %s", a.code())
	}
	if a := r.want(400, "PUT", "/b/%ff", ""); a.code() != "InvalidURI" {
		t.Errorf("code = %s", a.code())
	}
}

func TestListPages(t *testing.T) {
	for _, perPage := range []int{1, 2, 3, 1000} {
		t.Run(fmt.Sprint(perPage), func(t *testing.T) {
			r := newRaw(t, s3test.Options{MaxKeys: perPage})
			for _, k := range []string{"a", "a/1", "a/2", "a/b/3", "a0", "b/", "b/x", "c"} {
				r.srv.PutObject("b", k, nil, nil)
			}
			for _, c := range []struct {
				query          string
				keys, prefixes string
			}{
				{"", "a a/1 a/2 a/b/3 a0 b/ b/x c", ""},
				{"delimiter=/", "a a0 c", "a/ b/"},
				{"delimiter=/&prefix=a/", "a/1 a/2", "a/b/"},
				{"delimiter=/&prefix=a", "a a0", "a/"},
				{"delimiter=/&prefix=b/", "b/ b/x", ""},
				{"prefix=zz", "", ""},
				{"start-after=a/2", "a/b/3 a0 b/ b/x c", ""},
				{"start-after=a/2&delimiter=/", "a0 c", "a/ b/"},
				{"delimiter=0", "a a/1 a/2 a/b/3 b/ b/x c", "a0"},
				{"delimiter=/b/", "a a/1 a/2 a0 b/ b/x c", "a/b/"},
			} {
				keys, prefixes, pages := r.rows(c.query)
				if got := strings.Join(keys, " "); got != c.keys {
					t.Errorf("%s: keys %q, want %q", c.query, got, c.keys)
				}
				if got := strings.Join(prefixes, " "); got != c.prefixes {
					t.Errorf("%s: prefixes %q, want %q", c.query, got, c.prefixes)
				}
				rows := len(keys) + len(prefixes)
				if want := max(1, (rows+perPage-1)/perPage); pages != want {
					t.Errorf("%s: %d pages for %d rows, want %d", c.query, pages, rows, want)
				}
			}
		})
	}
}

func TestListParameters(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	r.srv.SeedN("b", "%05d", 2001, []byte("x"))
	if l := r.list("max-keys=0"); l.IsTruncated || l.KeyCount != 0 {
		t.Errorf("max-keys=0: %+v", l)
	}
	if l := r.list("max-keys=5000"); !l.IsTruncated || l.KeyCount != 1000 || l.MaxKeys != 1000 {
		t.Errorf("max-keys=5000: %d of %d", l.KeyCount, l.MaxKeys)
	}
	for _, bad := range []string{"max-keys=-1", "max-keys=x", "continuation-token=%25", "continuation-token=", "encoding-type=xml"} {
		if a := r.want(400, "GET", "/b?list-type=2&"+bad, ""); a.code() != "InvalidArgument" {
			t.Errorf("%s: %s", bad, a.code())
		}
	}
	// a continuation token wins over start-after
	first := r.list("max-keys=1")
	next := r.list("max-keys=1&start-after=01000&continuation-token=" + url.QueryEscape(first.NextContinuationToken))
	if next.Contents[0].Key != "00001" {
		t.Errorf("after the token comes %s", next.Contents[0].Key)
	}
}

func TestConditions(t *testing.T) {
	e1, other := etagOf("one"), etagOf("other")
	for _, c := range []struct {
		name, method string
		exists       bool
		header       []string
		status       int
	}{
		{"get match", "GET", true, []string{"If-Match", e1}, 200},
		{"get unquoted match", "GET", true, []string{"If-Match", strings.Trim(e1, `"`)}, 200},
		{"get mismatch", "GET", true, []string{"If-Match", other}, 412},
		{"get none match", "GET", true, []string{"If-None-Match", e1}, 304},
		{"get none mismatch", "GET", true, []string{"If-None-Match", other}, 200},
		{"get modified", "GET", true, []string{"If-Modified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"}, 200},
		{"get not modified", "GET", true, []string{"If-Modified-Since", "Wed, 01 Jan 2099 00:00:00 GMT"}, 304},
		{"get unmodified", "GET", true, []string{"If-Unmodified-Since", "Wed, 01 Jan 2020 00:00:00 GMT"}, 412},
		{"head none match", "HEAD", true, []string{"If-None-Match", e1}, 304},
		{"head mismatch", "HEAD", true, []string{"If-Match", other}, 412},
		{"put match", "PUT", true, []string{"If-Match", e1}, 200},
		{"put mismatch", "PUT", true, []string{"If-Match", other}, 412},
		{"put match of nothing", "PUT", false, []string{"If-Match", e1}, 404},
		{"put none", "PUT", false, []string{"If-None-Match", "*"}, 200},
		{"put none exists", "PUT", true, []string{"If-None-Match", "*"}, 412},
		{"put none etag", "PUT", true, []string{"If-None-Match", e1}, 501},
		{"delete match", "DELETE", true, []string{"If-Match", e1}, 204},
		{"delete any", "DELETE", true, []string{"If-Match", "*"}, 204},
		{"delete mismatch", "DELETE", true, []string{"If-Match", other}, 412},
		{"delete absent", "DELETE", false, []string{"If-Match", e1}, 204},
		{"delete any absent", "DELETE", false, []string{"If-Match", "*"}, 412},
		{"copy match", "COPY", true, []string{"If-Match", e1}, 200},
		{"copy mismatch", "COPY", true, []string{"If-Match", other}, 412},
		{"copy none", "COPY", false, []string{"If-None-Match", "*"}, 200},
		{"copy none exists", "COPY", true, []string{"If-None-Match", "*"}, 412},
		{"copy source match", "COPY", true, []string{"x-amz-copy-source-if-match", etagOf("source")}, 200},
		{"copy source mismatch", "COPY", true, []string{"x-amz-copy-source-if-match", other}, 412},
		{"copy source none match", "COPY", true, []string{"x-amz-copy-source-if-none-match", etagOf("source")}, 412},
		{"copy source unmodified", "COPY", true, []string{"x-amz-copy-source-if-unmodified-since", "Wed, 01 Jan 2020 00:00:00 GMT"}, 412},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRaw(t, s3test.Options{})
			r.srv.PutObject("b", "source", []byte("source"), nil)
			if c.exists {
				r.srv.PutObject("b", "k", []byte("one"), nil)
			}
			method, header, body := c.method, c.header, ""
			switch method {
			case "COPY":
				method, header = "PUT", append(header, "x-amz-copy-source", "/b/source")
			case "PUT":
				body = "two"
			}
			r.want(c.status, method, "/b/k", body, header...)
			got, _, ok := r.srv.Object("b", "k")
			changed := !ok && c.exists || ok && string(got) != "one"
			if wantChange := c.status < 300 && c.method != "GET" && c.method != "HEAD" && (c.exists || ok); changed != wantChange {
				t.Errorf("object changed: %t, want %t", changed, wantChange)
			}
		})
	}
}

func TestDeleteObjects(t *testing.T) {
	r := newRaw(t, s3test.Options{})
	r.srv.PutObject("b", "one", []byte("one"), nil)
	r.srv.PutObject("b", "two", []byte("two"), nil)
	body := `<Delete><Object><Key>one</Key></Object><Object><Key>absent</Key></Object>` +
		`<Object><Key>two</Key><ETag>"nope"</ETag></Object></Delete>`
	if a := r.want(400, "POST", "/b?delete", body); a.code() != "InvalidRequest" {
		t.Errorf("without Content-MD5: %s", a.code())
	}
	sum := md5.Sum([]byte(body))
	a := r.want(200, "POST", "/b?delete", body, "Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	var got struct {
		Deleted []struct{ Key string }
		Error   []struct{ Key, Code string }
	}
	if err := xml.Unmarshal([]byte(a.body), &got); err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(got) != "{[{one} {absent}] [{two PreconditionFailed}]}" {
		t.Errorf("result = %v", got)
	}
	if keys := r.srv.Keys("b"); !slices.Equal(keys, []string{"two"}) {
		t.Errorf("keys = %q", keys)
	}
	if a := r.want(400, "POST", "/b?delete", body, "Content-MD5", base64.StdEncoding.EncodeToString(make([]byte, 16))); a.code() != "BadDigest" {
		t.Errorf("wrong Content-MD5: %s", a.code())
	}
}
