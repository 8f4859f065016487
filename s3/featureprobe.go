package s3

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
)

// otherETag is the ETag of no object: no bytes are known whose MD5 is zero.
const otherETag = `"00000000000000000000000000000000"`

// probe tests the features of one detection method on objects of its own.
type probe struct {
	c      *Client
	bucket string
	key    string
	etag   string     // ETag of the object at key
	made   []ObjectID // objects to delete at the end
	found  []Finding
}

func newProbe(c *Client, bucket string) *probe {
	return &probe{c: c, bucket: bucket, key: c.opts.ProbePrefix + "probe-" + strings.ToLower(rand.Text())}
}

// copyKey returns the key of the target of copies.
func (p *probe) copyKey() string { return p.key + "-copy" }

// run makes the requests of one kind of probe.
func (p *probe) run(ctx context.Context, group detection) error {
	if err := p.put(ctx, condition{}); err != nil {
		return err
	}
	switch group {
	case byPutProbe:
		return p.puts(ctx)
	case byCompleteProbe:
		return p.completes(ctx)
	case byDeleteProbe:
		return p.deletes(ctx)
	case byCopyProbe:
		return p.copies(ctx)
	case byPartCopyProbe:
		return p.partCopies(ctx)
	}
	return nil
}

// find records a finding.
func (p *probe) find(x Feature, s Support) {
	p.found = append(p.found, Finding{x, s, time.Now(), OriginProbe})
}

// judge records the support that err shows, where err is the result of a request whose
// condition is false. It returns errors that say nothing about the feature.
func (p *probe) judge(x Feature, err error) error {
	switch {
	case errors.Is(err, ErrPreconditionFailed):
		p.find(x, SupportYes)
	case err == nil:
		p.find(x, SupportIgnored)
	case refusesRequest(err):
		p.find(x, SupportRefused)
	default:
		return err
	}
	return nil
}

// created records an object to delete at the end.
func (p *probe) created(key, version string) {
	p.made = append(p.made, ObjectID{Key: key, VersionID: version})
}

func (p *probe) put(ctx context.Context, d condition) error {
	body := []byte("s3mount probe\n")
	in := &PutInput{Bucket: p.bucket, Key: p.key, Body: bytes.NewReader(body), Size: int64(len(body))}
	out, err := p.c.putObject(ctx, in, newPayload(in.Body, in.Size), d)
	if err == nil {
		p.etag = out.ETag
		p.created(p.key, out.VersionID)
	}
	return err
}

// puts tests the conditions of PutObject and the format of its ETags.
func (p *probe) puts(ctx context.Context) error {
	if err := p.judge(FeaturePutIfNoneMatch, p.put(ctx, condition{ifNoneMatch: "*"})); err != nil {
		return err
	}
	err := p.put(ctx, condition{ifMatch: otherETag})
	if err == nil || !errors.Is(err, ErrPreconditionFailed) {
		if err == nil {
			p.find(FeatureQuotedETag, SupportYes)
		}
		return p.judge(FeaturePutIfMatch, err)
	}
	support := SupportYes
	switch err := p.put(ctx, condition{ifMatch: p.etag}); {
	case err == nil:
		p.find(FeatureQuotedETag, SupportYes)
	case !errors.Is(err, ErrPreconditionFailed):
		return err
	default:
		switch err := p.put(ctx, condition{ifMatch: unquote(p.etag)}); {
		case err == nil:
			p.find(FeatureQuotedETag, SupportRefused)
		case errors.Is(err, ErrPreconditionFailed):
			support = SupportRefused // the server rejects even the right ETag
		default:
			return err
		}
	}
	p.find(FeaturePutIfMatch, support)
	return nil
}

// deletes tests the conditions of DeleteObject and DeleteObjects.
func (p *probe) deletes(ctx context.Context) error {
	_, err := p.c.deleteObject(ctx, &DeleteInput{Bucket: p.bucket, Key: p.key}, condition{ifMatch: otherETag})
	if jerr := p.judge(FeatureDeleteIfMatch, err); jerr != nil {
		return jerr
	}
	if err == nil {
		if err := p.put(ctx, condition{}); err != nil {
			return err
		}
	}
	results, err := p.c.deletePage(ctx, p.c.features(p.bucket), []ObjectID{{Key: p.key, ETag: otherETag}})
	if err == nil {
		err = results[0].Err
	}
	if errors.Is(err, errNoResult) {
		err = nil
	}
	return p.judge(FeatureDeleteObjectsETag, err)
}

// copies tests the conditions of CopyObject. The first request has none and tests
// CopyObject itself.
func (p *probe) copies(ctx context.Context) error {
	for _, try := range []struct {
		x   Feature
		src Conditions
		d   condition
	}{
		{x: featureCount},
		{x: FeatureCopySourceIf, src: Conditions{IfMatch: otherETag}},
		{x: FeatureCopyIfNoneMatch, d: condition{ifNoneMatch: "*"}},
		{x: FeatureCopyIfMatch, d: condition{ifMatch: otherETag}},
	} {
		in := CopyInput{SrcBucket: p.bucket, SrcKey: p.key, SrcSize: 1, Bucket: p.bucket, Key: p.copyKey()}
		out, err := p.c.copyObject(ctx, &in, try.src, try.d)
		if err == nil {
			p.created(p.copyKey(), out.VersionID)
		}
		if try.x == featureCount {
			if notImplemented(err) || refusesRequest(err) { // the request has nothing else to refuse
				return p.noCopies()
			}
			if err != nil {
				return err
			}
			continue
		}
		if err := p.judge(try.x, err); err != nil {
			return err
		}
	}
	return nil
}

// noCopies records that the server has no CopyObject. The copy through the client has
// the conditions of GET and PUT instead.
func (p *probe) noCopies() error {
	for _, x := range []Feature{FeatureCopy, FeatureCopySourceIf, FeatureCopyIfMatch, FeatureCopyIfNoneMatch} {
		p.find(x, SupportRefused)
	}
	return nil
}

// completes tests the conditions of CompleteMultipartUpload.
func (p *probe) completes(ctx context.Context) error {
	for _, try := range []struct {
		x Feature
		d condition
	}{
		{FeatureCompleteIfNoneMatch, condition{ifNoneMatch: "*"}},
		{FeatureCompleteIfMatch, condition{ifMatch: otherETag}},
	} {
		err := p.inUpload(ctx, func(id UploadID) error {
			part, err := p.c.UploadPart(ctx, &UploadPartInput{Upload: id, PartNumber: 1, Body: strings.NewReader("probe"), Size: 5})
			if err != nil {
				return err
			}
			out, err := p.c.completeUpload(ctx, &CompleteUploadInput{Upload: id, Parts: []Part{*part}}, try.d)
			if err == nil {
				p.etag = out.ETag
				p.created(p.key, out.VersionID)
			}
			return p.judge(try.x, err)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// partCopies tests the conditions of UploadPartCopy.
func (p *probe) partCopies(ctx context.Context) error {
	return p.inUpload(ctx, func(id UploadID) error {
		in := &CopyPartInput{Upload: id, PartNumber: 1, SrcBucket: p.bucket, SrcKey: p.key, Last: 0}
		_, err := p.c.uploadPartCopy(ctx, in, Conditions{IfMatch: otherETag})
		if notImplemented(err) {
			p.find(FeaturePartCopy, SupportRefused)
			p.find(FeaturePartCopySourceIf, SupportRefused)
			return nil
		}
		return p.judge(FeaturePartCopySourceIf, err)
	})
}

// inUpload calls f with a multipart upload and aborts the upload afterwards.
func (p *probe) inUpload(ctx context.Context, f func(UploadID) error) error {
	id, err := p.c.CreateUpload(ctx, &CreateUploadInput{Bucket: p.bucket, Key: p.key})
	if err != nil {
		return err
	}
	if err := f(id); err != nil {
		return p.c.abandon(ctx, id, err)
	}
	return p.c.AbortUpload(ctx, id)
}

// clean deletes the objects of the probe, in a versioned bucket every version.
func (p *probe) clean(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), abortTimeout)
	defer cancel()
	seen := make(map[ObjectID]bool)
	var errs []error
	for _, o := range p.made {
		if o.VersionID == "null" {
			o.VersionID = ""
		}
		if seen[o] {
			continue
		}
		seen[o] = true
		_, err := p.c.deleteObject(ctx, &DeleteInput{Bucket: p.bucket, Key: o.Key, VersionID: o.VersionID}, condition{})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}
