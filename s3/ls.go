package s3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"strconv"
	"time"
)

// Ls asks for one page of a listing
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html).
// Keys come in the order of their bytes. A page may hold fewer than MaxKeys,
// even nothing, and not be the last: that is for NextToken to say.
func (c *Client) Ls(ctx context.Context, in *LsInput) (*LsPage, error) {
	if in.MaxKeys < 0 {
		return nil, inputError("ListObjectsV2", in.Bucket, "", "max keys is negative")
	}
	q := make(query, 0, 7)
	q = append(q, param{"list-type", "2"}, param{"encoding-type", "url"})
	q = q.add("prefix", in.Prefix).add("delimiter", in.Delimiter)
	if in.ContinuationToken != "" {
		q = q.add("continuation-token", in.ContinuationToken)
	} else {
		q = q.add("start-after", in.StartAfter)
	}
	if in.MaxKeys > 0 {
		q = q.add("max-keys", strconv.Itoa(min(in.MaxKeys, MaxListKeys)))
	}
	var page *LsPage
	k := &call{op: "ListObjectsV2", method: http.MethodGet, bucket: in.Bucket, params: q,
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) (err error) {
				page, err = parseList(data)
				return err
			})
		}}
	if _, err := c.do(ctx, k); err != nil {
		return nil, err
	}
	if page.NextToken != "" && page.NextToken == in.ContinuationToken {
		return nil, k.fail(errListLoop)
	}
	return page, nil
}

var errListLoop = errors.New("server repeats a page of the listing")

// LsAll yields all objects and common prefixes of a listing in key order
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html). An
// error ends it.
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

// each merges objects and prefixes by key.
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

const listRoot = "ListBucketResult"

// listParser collects a page of a listing.
type listParser struct {
	page      LsPage
	cur       ListedObject
	announced bool // that keys are encoded, before the first of them
	encoded   bool
	truncated bool
}

// parseList reads a <ListBucketResult>.
func parseList(data []byte) (*LsPage, error) {
	p := listParser{announced: bytes.Contains(data, []byte("<EncodingType>url</EncodingType>"))}
	if err := parseDocument(data, listRoot, p.element); err != nil {
		return nil, err
	}
	switch {
	case p.truncated && p.page.NextToken == "":
		return nil, badDocument(data, errors.New("listing is truncated but names no continuation token"))
	case !p.truncated:
		p.page.NextToken = ""
	}
	if p.encoded && !p.announced {
		p.decode()
	}
	return &p.page, nil
}

// name is a key or prefix. It is a string of its own: keys live on in caches
// long after their page.
func (p *listParser) name(text []byte) string {
	if p.announced {
		return unescapeBytes(text)
	}
	return string(text)
}

// decode undoes encoding-type=url where it is announced in other words.
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
		}
	case listRoot:
		switch string(name) {
		case "Contents":
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
		}
	}
	return nil
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

// listedTime parses the date of a row. A date that cannot be read is zero, as
// one bad date must not hide a directory. The date has whole seconds as in the
// Last-Modified header of GET and HEAD: MinIO and Ceph list milliseconds, and
// without the cut an object that is listed would look younger than the same
// object in the answer to a HEAD.
func listedTime(text []byte) time.Time {
	// Nearly all are "2026-11-22T13:00:00.000Z".
	if t, ok := usualTime(text); ok {
		return t.Truncate(time.Second)
	}
	t, err := time.Parse(time.RFC3339, string(text))
	if err != nil {
		return time.Time{}
	}
	return t.Truncate(time.Second)
}

// usualTime parses the one form that nearly all dates of listings have, at a
// fifth of the cost of time.Parse.
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
	// What is out of range, time.Date carries over.
	return t, t.Second() == n[5] && t.Minute() == n[4] && t.Hour() == n[3] && t.Day() == n[2] && t.Month() == time.Month(n[1])
}
