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

// condition holds the If-Match and If-None-Match headers of a write. An empty string
// stands for no header.
type condition struct{ ifMatch, ifNoneMatch string }

func (d condition) none() bool { return d == condition{} }

// apply adds the headers. It formats ETags as the server of the bucket requires.
func (d condition) apply(h http.Header, f *bucketFeatures) {
	set(h, "If-Match", f.etag(d.ifMatch))
	set(h, "If-None-Match", d.ifNoneMatch)
}

// conditionalWrite makes a write with a condition. If the server does not enforce the
// condition, conditionalWrite sends the additional requests that replace it.
type conditionalWrite struct {
	c           *Client
	f           *bucketFeatures
	op          string
	key         string
	version     string
	sse         *CustomerKey
	cond        condition
	match, none Feature     // the features that cond relies on
	repeatable  func() bool // reports whether the body can be sent again; nil means that it can
	absentIsOK  bool        // for deletes: an absent object satisfies If-Match
	// send makes the request with the given condition.
	send func(ctx context.Context, d condition) error
}

// run makes the write by the best means that the server offers.
func (w *conditionalWrite) run(ctx context.Context) error {
	if w.cond.none() {
		return w.send(ctx, condition{})
	}
	support, err := w.support(ctx)
	if err != nil {
		return err
	}
	if support.missing() {
		return w.compareFirst(ctx, support)
	}
	err = w.send(ctx, w.cond)
	switch {
	case err == nil:
		w.learnQuotedETag()
		return nil
	case w.repeatable != nil && !w.repeatable():
		return err
	case w.cond.ifMatch != "" && errors.Is(err, ErrPreconditionFailed) && w.mayMisjudge():
		return w.retryUnquoted(ctx, err)
	case support == SupportUnknown && refusesRequest(err):
		return w.retryUnconditionally(ctx, err)
	}
	return err
}

// support returns the weakest support among the features that the write relies on.
func (w *conditionalWrite) support(ctx context.Context) (Support, error) {
	worst := SupportYes
	for _, x := range w.features() {
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

// features returns the features that the condition relies on.
func (w *conditionalWrite) features() []Feature {
	var all []Feature
	if w.cond.ifMatch != "" {
		all = append(all, w.match)
	}
	if w.cond.ifNoneMatch != "" {
		all = append(all, w.none)
	}
	return all
}

// learnQuotedETag records that the server accepted a condition with a quoted ETag.
func (w *conditionalWrite) learnQuotedETag() {
	if w.cond.ifMatch != "" && w.cond.ifMatch != "*" && w.f.support(FeatureQuotedETag) == SupportUnknown {
		w.c.learned(w.f.bucket, FeatureQuotedETag, SupportYes)
	}
}

// mayMisjudge reports whether the server may have refused the object's own ETag because
// of its quotes.
func (w *conditionalWrite) mayMisjudge() bool {
	return w.cond.ifMatch != "*" && w.f.support(FeatureQuotedETag) == SupportUnknown
}

// retryUnquoted handles a 412 of a server that may misjudge quoted ETags. If a HEAD
// shows that the object has the demanded ETag, retryUnquoted repeats the write with an
// unquoted ETag and then without If-Match, and records which of them worked.
func (w *conditionalWrite) retryUnquoted(ctx context.Context, refusal error) error {
	if err := w.compare(ctx); err != nil {
		// The object differs, or its ETag is not known.
		return refusal
	}
	plain := w.cond
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

// retryUnconditionally repeats a write without its condition after a refusal that may
// be due to the condition.
func (w *conditionalWrite) retryUnconditionally(ctx context.Context, refusal error) error {
	if err := w.compareFirst(ctx, SupportRefused); err != nil {
		if refusesRequest(err) {
			return refusal // the condition was not the reason
		}
		return err
	}
	for _, x := range w.features() {
		w.c.learned(w.f.bucket, x, SupportRefused)
	}
	return nil
}

// compareFirst compares the object with the condition immediately before the write. The
// write carries the condition as well, unless the server refuses it.
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
	return w.send(ctx, w.cond)
}

var errAbsentDelete = errors.New("the object is absent already")

// compare checks the condition with a HEAD request. It returns the errors that S3
// returns for a conditional write.
func (w *conditionalWrite) compare(ctx context.Context) error {
	info, err := w.c.Head(ctx, &HeadInput{Bucket: w.f.bucket, Key: w.key, VersionID: w.version, SSE: w.sse})
	absent := errors.Is(err, ErrNotFound) && !errors.Is(err, ErrNoSuchBucket)
	switch {
	case err != nil && !absent:
		return err
	case absent && w.cond.ifMatch == "":
		return nil
	case absent && w.absentIsOK:
		return errAbsentDelete
	case absent:
		return &Error{Op: w.op, Bucket: w.f.bucket, Key: w.key, Status: http.StatusNotFound, Code: "NoSuchKey", kind: ErrNotFound}
	case w.cond.ifNoneMatch != "" && (w.cond.ifNoneMatch == "*" || sameETag(w.cond.ifNoneMatch, info.ETag)),
		w.cond.ifMatch != "" && w.cond.ifMatch != "*" && !sameETag(w.cond.ifMatch, info.ETag):
		return &Error{Op: w.op, Bucket: w.f.bucket, Key: w.key, Status: http.StatusPreconditionFailed, Code: "PreconditionFailed",
			Message: "a HEAD request shows that the object is another version", kind: ErrPreconditionFailed}
	}
	return nil
}
