package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Ls returns one page of a listing
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html). Keys are in
// byte order. A page can hold fewer than MaxKeys names, or none, and still have a
// NextToken, which is "" only on the last page. If the server lacks ListObjectsV2, or
// its tokens do not work, the listing continues after the last name.
func (c *Client) Ls(ctx context.Context, in *LsInput) (*LsPage, error) {
	if in.MaxKeys < 0 {
		return nil, inputError("ListObjectsV2", in.Bucket, "", "max keys is negative")
	}
	at := parseListToken(in.ContinuationToken)
	f := c.features(in.Bucket)
	v1 := f.support(FeatureListV2).missing()
	page, err := c.list(ctx, in, at, v1)
	if err != nil && at.server != "" && at.after != "" && tokenRefused(err) {
		at.server = ""
		page, err = c.list(ctx, in, at, v1)
	}
	if err != nil && !v1 && refusesRequest(err) {
		if first, ferr := c.list(ctx, in, listToken{after: at.after, empty: at.empty}, true); ferr == nil {
			c.learned(in.Bucket, FeatureListV2, SupportRefused)
			page, err = first, nil
		}
	}
	if err != nil {
		return nil, err
	}
	return c.continued(in, at, page)
}

// tokenRefused reports whether err can mean that a continuation token is invalid, for
// example too old.
func tokenRefused(err error) bool {
	var e *Error
	return errors.As(err, &e) && (refusesRequest(err) || e.Status == http.StatusBadRequest && strings.Contains(e.Code, "Token"))
}

// list requests one page. NextToken of its page is the token of the server.
func (c *Client) list(ctx context.Context, in *LsInput, at listToken, v1 bool) (*listParser, error) {
	q := make(query, 0, 8)
	op := "ListObjects"
	if !v1 {
		op = "ListObjectsV2"
		q = append(q, param{"list-type", "2"})
	}
	q = append(q, param{"encoding-type", "url"})
	q = q.add("prefix", in.Prefix).add("delimiter", in.Delimiter)
	switch start := at.startAfter(in); {
	case v1 && at.after != "":
		q = q.add("marker", at.after)
	case v1:
		q = q.add("marker", in.StartAfter)
	case at.server != "":
		q = q.add("continuation-token", at.server)
	default:
		q = q.add("start-after", start)
	}
	if in.MaxKeys > 0 {
		q = q.add("max-keys", strconv.Itoa(min(in.MaxKeys, MaxListKeys)))
	}
	var p *listParser
	k := &call{op: op, method: http.MethodGet, bucket: in.Bucket, params: q,
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) (err error) {
				p, err = parseListing(data)
				return err
			})
		}}
	if _, err := c.do(ctx, k); err != nil {
		return nil, err
	}
	return p, nil
}

// continued sets the token for the page after p, and checks that the listing makes
// progress.
func (c *Client) continued(in *LsInput, at listToken, p *listParser) (*LsPage, error) {
	fail := func(err error) (*LsPage, error) {
		return nil, &Error{Op: "ListObjectsV2", Bucket: in.Bucket, Err: err}
	}
	page := &p.page
	for i := range page.Objects {
		c.observeStorageClass(in.Bucket, page.Objects[i].StorageClass)
	}
	token := page.NextToken
	last := page.last()
	if at.server == "" {
		page.drop(at.after)
	}
	names := len(page.Objects) + len(page.CommonPrefixes)
	if token != "" && token == at.server || p.truncated && token == "" && names == 0 {
		return fail(errListLoop)
	}
	if !p.truncated {
		return page, nil
	}
	next := listToken{server: token, after: max(last, at.after)}
	if token == "" {
		x := FeatureListToken
		if p.v1 {
			x = FeatureListV2
		}
		if !c.features(in.Bucket).support(FeatureListV2).missing() {
			c.learned(in.Bucket, x, SupportIgnored)
		}
	}
	if names == 0 {
		if next.empty = at.empty + 1; next.empty > maxEmptyPages {
			return fail(errEmptyPages)
		}
	}
	page.NextToken = next.String()
	return page, nil
}

const (
	// maxEmptyPages is the largest number of consecutive pages without names. S3
	// returns such pages while it skips deleted versions; 1000 pages are a million
	// versions.
	maxEmptyPages = 1000
	// maxPageEntries is the largest accepted number of names in one page. S3 returns at
	// most MaxListKeys. Some servers return more than requested.
	maxPageEntries = 10 * MaxListKeys
)

var (
	errListLoop   = errors.New("server repeats a page of the listing")
	errEmptyPages = errors.New("server gives one empty page of the listing after the other")
	errPageFull   = errors.New("server gives more than 10000 names in one page of the listing")
)

// pageFull returns an error if n exceeds maxPageEntries.
func pageFull(n int) error {
	if n > maxPageEntries {
		return permanentError{errPageFull}
	}
	return nil
}

// LsAll returns an iterator over all objects and common prefixes of a listing in key
// order (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html). It
// stops after an error.
func (c *Client) LsAll(ctx context.Context, in *LsInput) iter.Seq2[LsEntry, error] {
	return func(yield func(LsEntry, error) bool) {
		next := *in
		for {
			page, err := c.Ls(ctx, &next)
			if err != nil {
				yield(LsEntry{}, err)
				return
			}
			if !page.each(func(e LsEntry) bool { return yield(e, nil) }) || page.NextToken == "" {
				return
			}
			next.ContinuationToken = page.NextToken
		}
	}
}

// each yields objects and prefixes in key order. It returns false if yield did.
func (p *LsPage) each(yield func(LsEntry) bool) bool {
	objects, prefixes := p.Objects, p.CommonPrefixes
	for len(objects)+len(prefixes) > 0 {
		var e LsEntry
		if len(prefixes) == 0 || len(objects) > 0 && objects[0].Key < prefixes[0] {
			e.ListedObject, objects = objects[0], objects[1:]
		} else {
			e.Key, e.IsPrefix, prefixes = prefixes[0], true, prefixes[1:]
		}
		if !yield(e) {
			return false
		}
	}
	return true
}

// listParser parses a page of a listing.
type listParser struct {
	page      LsPage
	cur       ListedObject
	announced bool // the document says before the keys that they are encoded
	encoded   bool
	truncated bool
	v1        bool // the document is a ListObjects result
	entries   int
}

// parseListing parses a page of a listing.
func parseListing(data []byte) (*listParser, error) {
	p := &listParser{announced: bytes.Contains(data, []byte("<EncodingType>url</EncodingType>"))}
	err := parseDocument(data, "ListBucketResult", p.element, "IsTruncated", "Contents", "CommonPrefixes", "MaxKeys", "KeyCount")
	if err != nil {
		return nil, err
	}
	if !p.truncated {
		p.page.NextToken = ""
	}
	if p.encoded && !p.announced {
		p.decode()
	}
	return p, nil
}

// name returns a key or prefix as a new string, because caches keep keys longer than
// the document.
func (p *listParser) name(text []byte) string {
	if p.announced {
		return unescapeBytes(text)
	}
	return string(text)
}

// decode decodes the keys of a document that announces the encoding in an unusual form
// or after the keys.
func (p *listParser) decode() {
	for i := range p.page.Objects {
		p.page.Objects[i].Key = unescapeListed(p.page.Objects[i].Key)
	}
	for i := range p.page.CommonPrefixes {
		p.page.CommonPrefixes[i] = unescapeListed(p.page.CommonPrefixes[i])
	}
}

func (p *listParser) element(parent, name, text []byte) error {
	switch string(parent) {
	case "Contents":
		return p.field(name, text)
	case "CommonPrefixes":
		if string(name) == "Prefix" {
			p.page.CommonPrefixes = append(p.page.CommonPrefixes, p.name(text))
			p.entries++
		}
	case "": // a child of the root
		p.child(name, text)
	}
	return pageFull(p.entries)
}

// child handles a child of the root.
func (p *listParser) child(name, text []byte) {
	switch string(name) {
	case "Contents":
		p.entries++
		if p.cur.Key == "" {
			return // no object has an empty key
		}
		if p.page.Objects == nil {
			p.page.Objects = make([]ListedObject, 0, 64)
		}
		p.page.Objects = append(p.page.Objects, p.cur)
		p.cur = ListedObject{}
	case "IsTruncated":
		p.truncated = string(text) == "true"
	case "NextContinuationToken":
		p.page.NextToken = string(text)
	case "EncodingType":
		p.encoded = string(text) == "url"
	case "Marker":
		p.v1 = true
	}
}

func (p *listParser) field(name, text []byte) error {
	switch string(name) {
	case "Key":
		p.cur.Key = p.name(text)
	case "Size":
		n, err := strconv.ParseInt(string(text), 10, 64)
		if err != nil || n < 0 {
			return fmt.Errorf("size %q is not a number", clip(string(text), 40))
		}
		p.cur.Size = n
	case "ETag":
		p.cur.ETag = strongETag(string(text))
	case "LastModified":
		p.cur.LastModified = listedTime(text)
	case "StorageClass":
		if string(text) != "STANDARD" {
			p.cur.StorageClass = string(text)
		}
	}
	return nil
}

// listedTime parses LastModified of a listing. It returns the zero time if the text is
// invalid, because one bad date must not hide a directory. It truncates to seconds, the
// resolution of the Last-Modified header: MinIO and Ceph list milliseconds, and an
// object would otherwise look newer in a listing than in a HEAD.
func listedTime(text []byte) time.Time {
	// Nearly all dates have the form "2026-11-22T13:00:00.000Z".
	if t, ok := usualTime(text); ok {
		return t.Truncate(time.Second)
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return time.Time{}
	}
	return t.Truncate(time.Second)
}

// usualTime parses the most common form of a date at a fifth of the cost of time.Parse.
func usualTime(text []byte) (t time.Time, ok bool) {
	const form = "dddd-dd-ddTdd:dd:dd.dddZ"
	if len(text) != len(form) {
		return t, false
	}
	var n [7]int // year, month, day, hour, minute, second, millisecond
	field := 0
	for i, c := range text {
		switch {
		case form[i] != 'd':
			if c != form[i] {
				return t, false
			}
			field++
		case c < '0' || c > '9':
			return t, false
		default:
			n[field] = n[field]*10 + int(c-'0')
		}
	}
	t = time.Date(n[0], time.Month(n[1]), n[2], n[3], n[4], n[5], n[6]*int(time.Millisecond), time.UTC)
	// time.Date normalizes values that are out of range, such as month 13.
	return t, t.Second() == n[5] && t.Minute() == n[4] && t.Hour() == n[3] && t.Day() == n[2] && t.Month() == time.Month(n[1])
}
