package s3test

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// testLs is the row Ls.
func testLs(e *env) {
	e.run("empty bucket", func(e *env) {
		page, err := e.c.Ls(e.ctx, &s3.LsInput{Bucket: e.bucket})
		e.ok("ls", err)
		if len(page.Objects)+len(page.CommonPrefixes) != 0 || page.NextToken != "" {
			e.Errorf("page = %+v", page)
		}
	})
	keys := []string{"a", "a!b", "a-b", "b/", "b/1", "b/2/x", "b/2/y", "b/3", "c/1", "d"}
	if !e.has(NestedKeys) {
		keys[0] = "a0"
		slices.Sort(keys)
	}
	for _, k := range keys {
		e.put(k, strings.Repeat("x", objectSize(k)))
	}
	e.run("rows", func(e *env) { lsRows(e, keys) })
	e.run("parameters", func(e *env) { lsParameters(e, keys) })
	e.run("pages", func(e *env) { lsPages(e, keys) })
	e.run("stop early", func(e *env) {
		for entry, err := range e.c.LsAll(e.ctx, &s3.LsInput{Bucket: e.bucket, MaxKeys: 1}) {
			e.ok("ls", err)
			if entry.Key != keys[0] {
				e.Errorf("first entry = %q, want %q", entry.Key, keys[0])
			}
			break
		}
	})
}

// objectSize is the size of the object under key in testLs: markers are empty.
func objectSize(key string) int {
	if strings.HasSuffix(key, "/") {
		return 0
	}
	return len(key)
}

// lsRows checks all fields of the rows of a listing.
func lsRows(e *env, keys []string) {
	var got []string
	for o, err := range e.c.LsAll(e.ctx, &s3.LsInput{Bucket: e.bucket}) {
		e.ok("ls", err)
		got = append(got, o.Key)
		body := strings.Repeat("x", objectSize(o.Key))
		if o.Size != int64(len(body)) || o.ETag != quotedMD5(body) || time.Since(o.LastModified).Abs() > time.Hour || o.IsPrefix {
			e.Errorf("row = %+v", o)
		}
		if info, err := e.c.Head(e.ctx, &s3.HeadInput{Bucket: e.bucket, Key: o.Key}); err != nil || !info.LastModified.Equal(o.LastModified) {
			e.Errorf("%q is listed with the date %v, and HEAD has %+v (%v)", o.Key, o.LastModified, info, err)
		}
	}
	if !slices.Equal(got, keys) {
		e.Errorf("keys = %q, want %q", got, keys)
	}
}

// lsParameters checks each parameter, in pages of every size.
func lsParameters(e *env, keys []string) {
	for _, in := range []s3.LsInput{
		{},
		{Delimiter: "/"},
		{Prefix: "b"},
		{Prefix: "b/"},
		{Prefix: "b/", Delimiter: "/"},
		{Prefix: "b/2", Delimiter: "/"},
		{Prefix: "b/2/", Delimiter: "/"},
		{Prefix: "absent"},
		{Prefix: "d", Delimiter: "/"},
		{StartAfter: "a-b"},
		{StartAfter: "b/2/x", Prefix: "b/"},
		{StartAfter: "zzz"},
		{StartAfter: "c", Delimiter: "/"},
	} {
		if in.Delimiter != "" && !e.has(Delimiters) {
			continue
		}
		want := wantRows(keys, in)
		for _, size := range []int{0, 1, 2, 3, 1000} {
			if size == 1 && !e.has(SmallPages) {
				continue
			}
			in.Bucket, in.MaxKeys = e.bucket, size
			got, err := e.rows(in)
			if err != nil || !slices.Equal(got, want) {
				e.Errorf("ls %+v = %q %v, want %q", in, got, err, want)
			}
		}
	}
}

// wantRows is the listing by its definition.
func wantRows(keys []string, in s3.LsInput) []string {
	after := slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return k <= in.StartAfter })
	var rows []string
	for _, k := range after {
		rest, ok := strings.CutPrefix(k, in.Prefix)
		if !ok {
			continue
		}
		if i := strings.Index(rest, in.Delimiter); in.Delimiter != "" && i >= 0 {
			k = in.Prefix + rest[:i+len(in.Delimiter)]
		}
		rows = append(rows, k)
	}
	return slices.Compact(rows)
}

// rows lists to the end by LsAll.
func (e *env) rows(in s3.LsInput) ([]string, error) {
	var rows []string
	for entry, err := range e.c.LsAll(e.ctx, &in) {
		if err != nil {
			return rows, err
		}
		rows = append(rows, entry.Key)
		if isPrefix := in.Delimiter != "" && strings.Contains(entry.Key[len(in.Prefix):], in.Delimiter); entry.IsPrefix != isPrefix {
			e.Errorf("%q: IsPrefix = %t", entry.Key, entry.IsPrefix)
		}
	}
	return rows, nil
}

// lsPages checks the page API: sizes, tokens, the token against StartAfter.
func lsPages(e *env, keys []string) {
	in := &s3.LsInput{Bucket: e.bucket, MaxKeys: 3}
	var got []string
	for pages := 0; ; pages++ {
		page, err := e.c.Ls(e.ctx, in)
		e.ok("ls", err)
		if len(page.Objects) > 3 || pages > len(keys) {
			e.Fatalf("page %d has %d rows", pages, len(page.Objects))
		}
		if !slices.IsSortedFunc(page.Objects, func(a, b s3.ListedObject) int { return cmp.Compare(a.Key, b.Key) }) {
			e.Errorf("page %d is not in order: %+v", pages, page.Objects)
		}
		for _, o := range page.Objects {
			got = append(got, o.Key)
		}
		if page.NextToken == "" {
			break
		}
		in.ContinuationToken = page.NextToken
		in.StartAfter = "zzz" // the token wins
	}
	if !slices.Equal(got, keys) {
		e.Errorf("keys = %q, want %q", got, keys)
	}
}

// testKeys holds that every key comes back from a listing, a read and a copy as it went in.
func testKeys(e *env) {
	keys := oddKeys(e)
	for _, k := range keys {
		body := k
		if strings.HasSuffix(k, "/") && !e.has(MarkerBodies) {
			body = ""
		}
		if _, err := e.c.Put(e.ctx, e.putInput(k, []byte(body))); err != nil {
			e.Fatalf("put %q: %v", k, err)
		}
	}
	got, err := e.rows(s3.LsInput{Bucket: e.bucket, MaxKeys: 7})
	if err != nil || !slices.Equal(got, keys) {
		e.Fatalf("ls = %q %v\nwant %q", got, err, keys)
	}
	for _, k := range keys {
		if want := k; !strings.HasSuffix(k, "/") || e.has(MarkerBodies) {
			e.holds(k, want)
		}
		if got, err := e.rows(s3.LsInput{Bucket: e.bucket, Prefix: k, MaxKeys: 1}); err != nil || len(got) == 0 || got[0] != k {
			e.Errorf("ls with prefix %q = %q %v", k, got, err)
		}
		after, err := e.rows(s3.LsInput{Bucket: e.bucket, StartAfter: k})
		if i := slices.Index(keys, k); err != nil || !slices.Equal(after, keys[i+1:]) && len(after)+len(keys[i+1:]) > 0 {
			e.Errorf("ls after %q = %d rows %v, want %d", k, len(after), err, len(keys[i+1:]))
		}
	}
	for _, k := range keys {
		if strings.HasSuffix(k, "/") && !e.has(MarkerBodies) {
			continue // a marker is no file there, and cannot become one
		}
		if _, err := e.c.Copy(e.ctx, &s3.CopyInput{
			SrcBucket: e.bucket, SrcKey: k, SrcSize: int64(len(k)), Bucket: e.bucket, Key: "copy",
		}); err != nil {
			e.Errorf("copy from %q: %v", k, err)
		}
	}
	e.ok("delete the copy", func() error {
		_, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: "copy"})
		return err
	}())
	for _, k := range keys {
		_, err := e.c.Delete(e.ctx, &s3.DeleteInput{Bucket: e.bucket, Key: k})
		e.ok("delete", err)
	}
	if got, err := e.rows(s3.LsInput{Bucket: e.bucket}); err != nil || len(got) != 0 {
		e.Errorf("left: %q %v", got, err)
	}
}

// oddKeys are the strangest keys that the server can hold, in order.
func oddKeys(e *env) []string {
	keys := []string{
		"dir/", "dir/file", "space in  name", " lead", "trail ", "+", "a+b%20c", "%2F", "%", "q?a=b&c#d", "<&>\"'", "[x]{y}|z\\w^`",
		"ü", "u\u0308", "日本/語", "\uff5e", "\U00010000", "~tilde", "semi;colon,comma", "*'()!", "UPPER", "upper",
		strings.Repeat("long/", 204) + "name", // 1024 bytes
	}
	if e.has(NestedKeys) {
		keys = append(keys, "n", "n/m", "n/m/o")
	}
	if e.has(RawKeys) {
		keys = append(keys, "r//s", "r/./s", "r/../s", "/", "//", "/lead", ".", "..", "./", "../", "t/.", "t/..")
	}
	if e.has(ControlKeys) {
		keys = append(keys, "\x01", "tab\tnewline\nreturn\r", "\x1f\x7f", "\r", "\n", "\uffff")
	}
	if e.has(LongSegments) {
		keys = append(keys, strings.Repeat("s", 1024))
	}
	slices.Sort(keys)
	return keys
}
