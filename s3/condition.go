package s3

import (
	"context"
	"errors"
	"net/http"
)

// AWS documents the following about conditions (read in November 2026):
//
//   - PutObject, CompleteMultipartUpload and CopyObject take If-None-Match, whose
//     only value is "*", and If-Match with an ETag. A condition that does not hold
//     is answered with 412 PreconditionFailed, an absent object under If-Match with
//     404 NoSuchKey. Two writers that meet get 409 ConditionalRequestConflict, after
//     which a PUT is sent again and an upload is made anew.
//     https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html
//   - If-None-Match needs s3:PutObject only, If-Match s3:GetObject as well, and so
//     does a DELETE with an ETag beside s3:DeleteObject. A client without that
//     permission gets 403.
//   - DeleteObject takes If-Match, DeleteObjects an element ETag per key. A key
//     whose ETag differs is an Error element with PreconditionFailed inside the
//     200. They look at the current version only, also in versioned buckets, and a
//     concurrent PUT can make them fail with 409.
//     https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-deletes.html
//   - Bucket policies can refuse writes and deletes without a condition with 403
//     (conditional-writes-enforce.html, conditional-delete-enforce.html). A full
//     replacement and an unlink have none, so that they fail with EACCES there.
//   - GET, HEAD and the sources of copies compare as RFC 9110 says, If-Match before
//     If-Unmodified-Since.
//     https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html

// condition is what a write demands of the object that it replaces or deletes.
type condition struct{ ifMatch, ifNoneMatch string }

func (d condition) none() bool { return d == condition{} }

// apply adds the headers, with ETags as the server of the bucket wants them.
func (d condition) apply(h http.Header, f *bucketFeatures) {
	set(h, "If-Match", f.etag(d.ifMatch))
	set(h, "If-None-Match", d.ifNoneMatch)
}

// conditionalWrite is a write with a condition, over the requests that it may
// take on servers that do not do what S3 does.
type conditionalWrite struct {
	c           *Client
	f           *bucketFeatures
	op          string
	key         string
	version     string
	sse         *CustomerKey
	demand      condition
	match, none Feature     // the features that demand relies on
	repeatable  func() bool // nil: always
	absentIsOK  bool        // a delete: an absent object meets If-Match
	// send makes the request with the condition given.
	send func(ctx context.Context, d condition) error
}

// run makes the write by the best means that the server offers.
func (w *conditionalWrite) run(ctx context.Context) error {
	if w.demand.none() {
		return w.send(ctx, condition{})
	}
	support, err := w.support(ctx)
	if err != nil {
		return err
	}
	if support.missing() {
		return w.compareFirst(ctx, support)
	}
	err = w.send(ctx, w.demand)
	switch {
	case err == nil:
		w.worked()
		return nil
	case w.repeatable != nil && !w.repeatable():
		return err
	case w.demand.ifMatch != "" && errors.Is(err, ErrPreconditionFailed) && w.mayMisjudge():
		return w.otherForm(ctx, err)
	case support == SupportUnknown && refusesRequest(err):
		return w.afterRefusal(ctx, err)
	}
	return err
}

// support returns the weaker support of the features that the write relies on.
func (w *conditionalWrite) support(ctx context.Context) (Support, error) {
	worst := SupportYes
	for _, x := range w.relied() {
		s, err := w.c.relies(ctx, w.f, x)
		if err != nil {
			return s, err
		}
		switch {
		case s.missing():
			worst = max(worst, s)
		case s == SupportUnknown && !worst.missing():
			worst = s
		}
	}
	return worst, nil
}

// relied returns the features that the condition relies on.
func (w *conditionalWrite) relied() []Feature {
	var all []Feature
	if w.demand.ifMatch != "" {
		all = append(all, w.match)
	}
	if w.demand.ifNoneMatch != "" {
		all = append(all, w.none)
	}
	return all
}

// worked notes that a condition with a quoted ETag held.
func (w *conditionalWrite) worked() {
	if w.demand.ifMatch != "" && w.demand.ifMatch != "*" && w.f.support(FeatureQuotedETag) == SupportUnknown {
		w.c.learned(w.f.bucket, FeatureQuotedETag, SupportYes)
	}
}

// mayMisjudge reports whether the server may refuse an ETag that is the object's.
func (w *conditionalWrite) mayMisjudge() bool {
	return w.demand.ifMatch != "*" && w.f.support(FeatureQuotedETag) == SupportUnknown
}

// otherForm finds out, after a 412, whether the object has the ETag all the
// same. Then the server wants ETags without quotes, or none at all.
func (w *conditionalWrite) otherForm(ctx context.Context, refusal error) error {
	if err := w.compare(ctx); err != nil {
		return refusal // the object is another one, or nobody knows
	}
	plain := w.demand
	plain.ifMatch = unquote(plain.ifMatch)
	err := w.send(ctx, plain)
	if err == nil {
		w.c.learned(w.f.bucket, FeatureQuotedETag, SupportRefused)
		return nil
	}
	if !errors.Is(err, ErrPreconditionFailed) {
		return err
	}
	if err := w.compareFirst(ctx, SupportRefused); err != nil {
		return err
	}
	w.c.learned(w.f.bucket, w.match, SupportRefused)
	return nil
}

// afterRefusal repeats a write without its condition after a refusal that may
// be due to it.
func (w *conditionalWrite) afterRefusal(ctx context.Context, refusal error) error {
	if err := w.compareFirst(ctx, SupportRefused); err != nil {
		if refusesRequest(err) {
			return refusal // it was not due to the condition
		}
		return err
	}
	for _, x := range w.relied() {
		w.c.learned(w.f.bucket, x, SupportRefused)
	}
	return nil
}

// compareFirst compares the object with the condition immediately before the
// write, which carries the condition all the same unless the server refuses it.
func (w *conditionalWrite) compareFirst(ctx context.Context, s Support) error {
	switch err := w.compare(ctx); {
	case errors.Is(err, errAbsentDelete):
		return nil
	case err != nil:
		return err
	}
	if s == SupportRefused {
		return w.send(ctx, condition{})
	}
	return w.send(ctx, w.demand)
}

var errAbsentDelete = errors.New("the object is absent already")

// compare holds the object to the condition. The errors are those that S3
// answers a conditional write with.
func (w *conditionalWrite) compare(ctx context.Context) error {
	info, err := w.c.Head(ctx, &HeadInput{Bucket: w.f.bucket, Key: w.key, VersionID: w.version, SSE: w.sse})
	absent := errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
	switch {
	case err != nil && !absent:
		return err
	case absent && w.demand.ifMatch == "":
		return nil
	case absent && w.absentIsOK:
		return errAbsentDelete
	case absent:
		return &Error{Op: w.op, Bucket: w.f.bucket, Key: w.key, Status: http.StatusNotFound, Code: "NoSuchKey", kind: ErrNotFound}
	case w.demand.ifNoneMatch != "" && (w.demand.ifNoneMatch == "*" || sameETag(w.demand.ifNoneMatch, info.ETag)),
		w.demand.ifMatch != "" && w.demand.ifMatch != "*" && !sameETag(w.demand.ifMatch, info.ETag):
		return &Error{Op: w.op, Bucket: w.f.bucket, Key: w.key, Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
			Message: "a HEAD request shows that the object is another version", kind: ErrPreconditionFailed}
	}
	return nil
}
