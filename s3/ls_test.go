package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

const listSample = `<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p%2F</Prefix><KeyCount>3</KeyCount>
<MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>
<NextContinuationToken>1u+eG/==</NextContinuationToken>
<Contents><Key>p/a+b%2Bc</Key><LastModified>2026-11-22T13:00:00.000Z</LastModified><ETag>&quot;d41d8cd98f00b204e9800998ecf8427e&quot;</ETag>
<ChecksumAlgorithm>CRC32C</ChecksumAlgorithm><Size>12</Size><Owner><ID>x</ID></Owner><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>p/%01%0A%FF</Key><LastModified>yesterday</LastModified><ETag>"1"</ETag><Size>0</Size><StorageClass>GLACIER</StorageClass></Contents>
<CommonPrefixes><Prefix>p/a%20x/</Prefix></CommonPrefixes>
</ListBucketResult>`

func TestParseList(t *testing.T) {
	page, err := parseList([]byte(listSample))
	noError(t, err)
	want := &LsPage{
		Objects: []ListedObject{
			{Key: "p/a b+c", Size: 12, ETag: `"d41d8cd98f00b204e9800998ecf8427e"`, LastModified: time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)},
			{Key: "p/\x01\n\xff", ETag: `"1"`, StorageClass: "GLACIER"},
		},
		CommonPrefixes: []string{"p/a x/"},
		NextToken:      "1u+eG/==",
	}
	if !reflect.DeepEqual(page, want) {
		t.Errorf("got  %+v\nwant %+v", page, want)
	}
}

func TestParseListOfServersThatIgnoreEncoding(t *testing.T) {
	page, err := parseList([]byte("<ListBucketResult><Contents><Key>a+b%2F&#x1;&amp;\x02 </Key><Size>1</Size></Contents></ListBucketResult>"))
	noError(t, err)
	if got, want := page.Objects[0].Key, "a+b%2F\x01&\x02 "; got != want {
		t.Errorf("key is %q, want %q", got, want)
	}
}

func TestParseListRefuses(t *testing.T) {
	for _, in := range []string{
		"", "<html><body>hi</body></html>", "<ListBucketResult>", "plain text",
		"<ListBucketResult><Contents><Key>a</Key><Size>-1</Size></Contents></ListBucketResult>",
		"<ListBucketResult><Contents><Key>a</Key><Size>x</Size></Contents></ListBucketResult>",
		"<ListAllMyBucketsResult/>",
	} {
		if page, err := parseList([]byte(in)); err == nil {
			t.Errorf("%q parses as %+v", in, page)
		}
	}
	_, err := parseList([]byte(errorBody("SlowDown")))
	wantIs(t, err, ErrThrottled)
}

func TestListedTime(t *testing.T) {
	for _, v := range []string{"2026-11-22T13:00:59.123Z", "2024-02-29T00:00:00.000Z", "2026-12-31T23:59:59.999Z",
		"2026-11-22T13:00:59Z", "2026-11-22T13:00:59.5+02:00"} {
		want, err := time.Parse(time.RFC3339, v)
		noError(t, err)
		want = want.Truncate(time.Second)
		if got := listedTime([]byte(v)); !got.Equal(want) {
			t.Errorf("%s is read as %v", v, got)
		}
	}
	for _, v := range []string{"", "yesterday", "2026-02-30T00:00:00.000Z", "2026-13-01T00:00:00.000Z", "2026-01-01T24:00:00.000Z",
		"2026-01-01T00:60:00.000Z", "2026-01-01T00:00:60.000Z", "2026-01-00T00:00:00.000Z", "2026-01-01 00:00:00.000Z"} {
		if got := listedTime([]byte(v)); !got.IsZero() {
			t.Errorf("%q is read as %v", v, got)
		}
	}
}

// listServer answers ListObjectsV2 on keys, pages of at most max.
func listServer(keys []string, limit int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		n, err := strconv.Atoi(q.Get("max-keys"))
		if err != nil || n > limit {
			n = limit
		}
		after := q.Get("start-after")
		if q.Has("continuation-token") {
			after = q.Get("continuation-token")
		}
		i, _ := slices.BinarySearch(keys, after+"\x00")
		fmt.Fprint(w, "<ListBucketResult>")
		for ; n > 0 && i < len(keys); i, n = i+1, n-1 {
			fmt.Fprintf(w, "<Contents><Key>%s</Key><Size>%d</Size></Contents>", keys[i], i)
		}
		if i < len(keys) {
			fmt.Fprintf(w, "<IsTruncated>true</IsTruncated><NextContinuationToken>%s</NextContinuationToken>", keys[i-1])
		}
		fmt.Fprint(w, "</ListBucketResult>")
	}
}

func TestLsAll(t *testing.T) {
	var keys []string
	for i := range 25 {
		keys = append(keys, fmt.Sprintf("k%02d", i))
	}
	c := newTestClient(t, listServer(keys, 10))
	for _, tt := range []struct {
		in   LsInput
		want []string
	}{
		{LsInput{}, keys},
		{LsInput{MaxKeys: 3}, keys},
		{LsInput{StartAfter: "k07"}, keys[8:]},
		{LsInput{StartAfter: "k07", ContinuationToken: "k20"}, keys[21:]},
	} {
		tt.in.Bucket = "bucket"
		var got []string
		for e, err := range c.LsAll(t.Context(), &tt.in) {
			noError(t, err)
			got = append(got, e.Key)
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%+v: got %q", tt.in, got)
		}
	}
	for range c.LsAll(t.Context(), &LsInput{Bucket: "bucket"}) {
		break // must not panic
	}
}

func TestLsAllMergesPrefixesInKeyOrder(t *testing.T) {
	page := LsPage{Objects: []ListedObject{{Key: "a"}, {Key: "b"}, {Key: "d"}}, CommonPrefixes: []string{"a/", "c/", "e/"}}
	var got []string
	page.each(func(e LsEntry) bool {
		got = append(got, fmt.Sprint(e.Key, e.IsPrefix))
		return true
	})
	if want := []string{"afalse", "a/true", "bfalse", "c/true", "dfalse", "e/true"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestLsAllEndsAtError(t *testing.T) {
	n := 0
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		if n++; n == 1 {
			io.WriteString(w, "<ListBucketResult><Contents><Key>a</Key></Contents><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>")
			return
		}
		writeError(w, 403, "AccessDenied")
	})
	var keys []string
	var last error
	for e, err := range c.LsAll(t.Context(), &LsInput{Bucket: "bucket"}) {
		keys, last = append(keys, e.Key), err
	}
	wantIs(t, last, ErrForbidden)
	if len(keys) != 2 || keys[0] != "a" {
		t.Errorf("got %q", keys)
	}
}

func TestLsRefusesLoop(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken></ListBucketResult>")
	})
	n := 0
	for _, err := range c.LsAll(t.Context(), &LsInput{Bucket: "bucket"}) {
		if n++; err != nil && !errors.Is(err, errListLoop) || n > 3 {
			t.Fatal(n, err)
		}
	}
	if n != 1 {
		t.Errorf("%d results", n)
	}
}

func TestLsBounded(t *testing.T) {
	row := strings.Repeat("<Contents><Key>"+strings.Repeat("k", 1000)+"</Key></Contents>", 100)
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "<ListBucketResult>")
		for range 2 * maxDocument / len(row) {
			if _, err := io.WriteString(w, row); err != nil {
				return
			}
		}
	})
	_, err := c.Ls(context.Background(), &LsInput{Bucket: "bucket"})
	wantIs(t, err, errDocumentTooLarge)
}

func FuzzList(f *testing.F) {
	f.Add([]byte(listSample))
	f.Add([]byte("<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"))
	f.Add([]byte("<ListBucketResult><EncodingType>url</EncodingType><Contents><Key>%zz+</Key></Contents></ListBucketResult>"))
	f.Fuzz(func(t *testing.T, data []byte) {
		page, err := parseList(data)
		if err == nil && page == nil {
			t.Error("neither page nor error")
		}
		for _, o := range deref(page).Objects {
			if o.Size < 0 || len(o.Key) > len(data) {
				t.Errorf("object %+v", o)
			}
		}
	})
}

func deref(p *LsPage) LsPage {
	if p == nil {
		return LsPage{}
	}
	return *p
}

// A page with very many elements without content uses little memory.
func TestListOfEmptyElements(t *testing.T) {
	for _, element := range []string{"<Contents/>", "<CommonPrefixes><Prefix/></CommonPrefixes>", "<Contents><Key>k</Key></Contents>"} {
		page := "<ListBucketResult>" + strings.Repeat(element, maxDocument/len(element)-10) + "</ListBucketResult>"
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := parseList([]byte(page))
		runtime.ReadMemStats(&after)
		if !errors.Is(err, errPageFull) {
			t.Errorf("%s: %v", element, err)
		}
		if cost := after.TotalAlloc - before.TotalAlloc; cost > 2*maxDocument {
			t.Errorf("%s: %d bytes were allocated", element, cost)
		}
	}
}

// Empty pages with changing tokens end with an error.
func TestEndlessEmptyPages(t *testing.T) {
	n := 0
	c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
		n++
		return answer(200, fmt.Sprintf("<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>%d</NextContinuationToken></ListBucketResult>", n)), nil
	})
	var err error
	for _, err = range c.LsAll(t.Context(), &LsInput{Bucket: "bucket"}) {
	}
	wantIs(t, err, errEmptyPages)
	if n != maxEmptyPages+1 {
		t.Errorf("%d pages", n)
	}
}

func TestListToken(t *testing.T) {
	for _, want := range []listToken{{}, {server: "a:b", after: "x:1:\x00"}, {after: "k"}, {server: "1:2:", empty: 7}} {
		if got := parseListToken(want.String()); got != want {
			t.Errorf("%+v becomes %+v", want, got)
		}
	}
	for _, raw := range []string{"", "token", "1:1:a", "\x01", "\x011:9:a", "\x01x:1:a"} {
		if got := parseListToken(raw); got != (listToken{server: raw}) {
			t.Errorf("%q becomes %+v", raw, got)
		}
	}
}
