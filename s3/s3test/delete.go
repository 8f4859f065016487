package s3test

import (
	"errors"
	"net/http"
	"slices"

	"github.com/s3mount/s3mount/s3"
)

// deleteObject answers DeleteObject
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObject.html).
func (c *call) deleteObject() error {
	id := objectID{Key: c.key, VersionID: c.query.Get("versionId"), ETag: c.r.Header.Get("If-Match")}
	gone, err := c.delete(id)
	if err != nil {
		return err
	}
	if gone != nil && gone.version != "" {
		c.w.Header().Set("x-amz-version-id", gone.version)
	}
	if gone != nil && gone.marker {
		c.w.Header().Set("x-amz-delete-marker", "true")
	}
	c.reply(http.StatusNoContent, nil)
	return nil
}

// objectID is an element of a delete request.
type objectID struct {
	Key       string
	VersionID string `xml:"VersionId"`
	ETag      string
}

// delete removes one object or version. It returns the delete marker that it
// left, or the version that it removed, nil if there is neither.
func (c *call) delete(id objectID) (*object, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return nil, err
	}
	if err := c.deleteCondition(b, id.Key, id.ETag); err != nil {
		return nil, err
	}
	if id.VersionID != "" {
		return b.removeVersion(id.Key, id.VersionID), nil
	}
	marker := &object{marker: true, props: &properties{}}
	c.stamp(b, marker)
	return b.remove(id.Key, marker), nil
}

// deleteObjects answers DeleteObjects
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_DeleteObjects.html).
func (c *call) deleteObjects() error {
	algorithm, _ := announced(c.r.Header)
	if c.r.Header.Get("Content-MD5") == "" && algorithm == "" {
		return badRequest("InvalidRequest", "Missing required header for this request: Content-MD5")
	}
	var in struct {
		Quiet   bool
		Objects []objectID `xml:"Object"`
	}
	if err := c.document(&in); err != nil {
		return err
	}
	if len(in.Objects) == 0 || len(in.Objects) > s3.MaxListKeys {
		return errMalformedXML()
	}
	if err := c.bucketExists(); err != nil {
		return err
	}
	tagged := slices.ContainsFunc(in.Objects, func(id objectID) bool { return id.ETag != "" })
	if tagged && c.lacks(s3.FeatureDeleteObjectsETag, s3.SupportRefused) {
		return c.refuse(s3.FeatureDeleteObjectsETag)
	}
	x := newXML("DeleteResult")
	for _, id := range in.Objects {
		gone, err := c.deleteOne(id)
		if err != nil {
			x.in("Error", func() { deleteError(x, id, err) })
		} else if !in.Quiet {
			x.in("Deleted", func() { deleted(x, id, gone) })
		}
	}
	x.end("DeleteResult")
	c.reply(http.StatusOK, x)
	return nil
}

// deleteOne deletes one object of many, which may each be denied.
func (c *call) deleteOne(id objectID) (*object, error) {
	if d := c.opts.Deny; d != nil && d("DeleteObject", c.bucket, id.Key) {
		return nil, errAccessDenied()
	}
	if c.lacks(s3.FeatureDeleteObjectsETag, s3.SupportIgnored) {
		id.ETag = ""
	}
	return c.delete(id)
}

// deleted writes the result of a delete that worked.
func deleted(x *xmlWriter, id objectID, gone *object) {
	x.text("Key", id.Key)
	if id.VersionID != "" {
		x.text("VersionId", id.VersionID)
	}
	if gone != nil && gone.marker {
		x.flag("DeleteMarker", true)
		x.text("DeleteMarkerVersionId", gone.versionID())
	}
}

// deleteError writes the result of a delete that did not.
func deleteError(x *xmlWriter, id objectID, err error) {
	x.text("Key", id.Key)
	if id.VersionID != "" {
		x.text("VersionId", id.VersionID)
	}
	if e := (*apiError)(nil); errors.As(err, &e) {
		x.text("Code", e.code)
		x.text("Message", e.message)
	}
}

// document reads an XML body, and holds it to the checksums that came with it.
func (c *call) document(v any) error {
	body, err := c.receive()
	if err != nil {
		return err
	}
	if body.content.size() > maxRequestXML {
		return errMalformedXML()
	}
	return parseXML(body.content.bytes(), v)
}

// bucketExists fails if the request's bucket does not exist.
func (c *call) bucketExists() error {
	c.mu.RLock()
	defer c.mu.RUnlock()
	_, err := c.locate(c.bucket)
	return err
}
