package s3test

import (
	"net/http"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// readConditions decides a GET or HEAD of o (RFC 9110, section 13.2.2).
func (c *call) readConditions(o *object) error {
	h := c.r.Header
	if match := h.Get("If-Match"); match != "" {
		if !matches(match, o.etag) {
			return errPrecondition("If-Match")
		}
	} else if since, ok := headerTime(h, "If-Unmodified-Since"); ok && o.modified.After(since) {
		return errPrecondition("If-Unmodified-Since")
	}
	if none := h.Get("If-None-Match"); none != "" {
		if matches(none, o.etag) {
			return errNotModified(o, c.etag(o))
		}
	} else if since, ok := headerTime(h, "If-Modified-Since"); ok && !o.modified.After(since) {
		return errNotModified(o, c.etag(o))
	}
	return nil
}

// sourceConditions decides a copy from o
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html).
func (c *call) sourceConditions(o *object) error {
	const name = "x-amz-copy-source-"
	h := c.r.Header
	if match := h.Get(name + "if-match"); match != "" {
		if !matches(match, o.etag) {
			return errPrecondition(name + "If-Match")
		}
	} else if since, ok := headerTime(h, name+"if-unmodified-since"); ok && o.modified.After(since) {
		return errPrecondition(name + "If-Unmodified-Since")
	}
	if none := h.Get(name + "if-none-match"); none != "" {
		if matches(none, o.etag) {
			return errPrecondition(name + "If-None-Match")
		}
	} else if since, ok := headerTime(h, name+"if-modified-since"); ok && !o.modified.After(since) {
		return errPrecondition(name + "If-Modified-Since")
	}
	return nil
}

// writeConditions decides a write to key. The caller holds mu, and holds it
// until the write is done (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html).
func (c *call) writeConditions(b *bucket, key string) error {
	match, none := c.r.Header.Get("If-Match"), c.r.Header.Get("If-None-Match")
	if match == "" && none == "" || c.opts.NoConditionalWrites {
		return nil
	}
	if c.opts.NotImplementedConditional {
		return errNotImplemented("If-Match")
	}
	current, exists := b.objects.Get(key)
	if none != "" {
		if none != "*" {
			return errNotImplemented("If-None-Match")
		}
		if exists {
			return errPrecondition("If-None-Match")
		}
	}
	if match == "" {
		return nil
	}
	if !exists {
		return errNoSuchKey(key)
	}
	if !c.writeMatches(match, current.etag) {
		return errPrecondition("If-Match")
	}
	return nil
}

// deleteCondition decides a delete: a key that is absent already meets any
// ETag, but not "*" (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
func (c *call) deleteCondition(b *bucket, key, match string) error {
	if match == "" || c.opts.NoConditionalWrites {
		return nil
	}
	if c.opts.NotImplementedConditional {
		return errNotImplemented("If-Match")
	}
	current, exists := b.objects.Get(key)
	switch {
	case !exists && match == "*":
		return errPrecondition("If-Match")
	case exists && !c.writeMatches(match, current.etag):
		return errPrecondition("If-Match")
	}
	return nil
}

// writeMatches is matches as this server does it for writes.
func (c *call) writeMatches(list, etag string) bool {
	if c.opts.UnquotedETags || c.lacks(s3.FeatureQuotedETag, s3.SupportRefused) {
		return list == "*" || list == etag
	}
	return matches(list, etag)
}

// matches reports whether an If-Match list contains the ETag. Like S3 it accepts ETags
// without quotes.
func matches(list, etag string) bool {
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		if one == "*" || strings.Trim(one, `"`) == etag {
			return true
		}
	}
	return false
}

// headerTime is the time in a header, if there is a valid one.
func headerTime(h http.Header, name string) (time.Time, bool) {
	t, err := http.ParseTime(h.Get(name))
	return t, err == nil
}
