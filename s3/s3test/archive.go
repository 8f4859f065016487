package s3test

import (
	"encoding/xml"
	"net/http"
	"time"
)

// archived reports whether the object must be restored before it can be read.
func (o *object) archived() bool {
	class := o.props.storageClass
	return (class == "GLACIER" || class == "DEEP_ARCHIVE") && o.restored.IsZero()
}

// errArchived is the answer to a request that reads an archived object
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html).
func errArchived(o *object) *apiError {
	return fail(http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class").
		with("StorageClass", o.props.storageClass)
}

// restoreHeader is the value of x-amz-restore, or "".
func (o *object) restoreHeader() string {
	switch {
	case !o.restored.IsZero():
		return `ongoing-request="false", expiry-date="` + httpTime(o.restored) + `"`
	case o.restoring:
		return `ongoing-request="true"`
	}
	return ""
}

// restoreObject answers RestoreObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_RestoreObject.html). FinishRestores
// ends what it begins.
func (c *call) restoreObject() error {
	var in struct {
		XMLName xml.Name `xml:"RestoreRequest"`
		Days    int
		Tier    string `xml:"GlacierJobParameters>Tier"`
	}
	if err := c.document(&in); err != nil {
		return err
	}
	o, err := c.lookup(c.query.Get("versionId"))
	if err != nil {
		return err
	}
	switch {
	case o.restoring:
		return fail(http.StatusConflict, "RestoreAlreadyInProgress", "Object restore is already in progress")
	case o.props.storageClass != "GLACIER" && o.props.storageClass != "DEEP_ARCHIVE":
		return errArchived(o)
	}
	next := *o
	next.restoring, next.restoreDays = true, in.Days
	c.mu.Lock()
	c.buckets[c.bucket].objects.Set(c.key, &next)
	c.mu.Unlock()
	c.reply(http.StatusAccepted, nil)
	return nil
}

// FinishRestores ends all restores of a bucket that are under way.
func (s *Server) FinishRestores(bucket string) {
	for _, key := range s.Keys(bucket) {
		s.mu.Lock()
		b := s.buckets[bucket]
		if o, ok := b.objects.Get(key); ok && o.restoring {
			next := *o
			next.restoring, next.restored = false, s.now().Add(time.Duration(o.restoreDays)*24*time.Hour)
			b.objects.Set(key, &next)
		}
		s.mu.Unlock()
	}
}
