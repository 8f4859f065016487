package s3test

import (
	"encoding/xml"
	"net/http"
	"slices"
	"strings"
)

// The states of a bucket's versioning.
const (
	versioningEnabled   = "Enabled"
	versioningSuspended = "Suspended"
)

// listBuckets answers ListBuckets.
func (c *call) listBuckets() error {
	x := newXML("ListAllMyBucketsResult")
	writeOwner(x, "Owner")
	x.in("Buckets", func() {
		for _, b := range c.sortedBuckets() {
			x.in("Bucket", func() {
				x.text("Name", b.name)
				x.text("CreationDate", xmlTime(b.created))
			})
		}
	})
	x.end("ListAllMyBucketsResult")
	c.reply(http.StatusOK, x)
	return nil
}

// sortedBuckets is the buckets by name.
func (s *Server) sortedBuckets() []*bucket {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var out []*bucket
	for _, b := range s.buckets {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b *bucket) int { return strings.Compare(a.name, b.name) })
	return out
}

// headBucket answers HeadBucket.
func (c *call) headBucket() error {
	c.mu.RLock()
	b, err := c.locate(c.bucket)
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	c.w.Header().Set("x-amz-bucket-region", b.region)
	c.reply(http.StatusOK, nil)
	return nil
}

// createBucket answers CreateBucket.
func (c *call) createBucket() error {
	if !c.Server.CreateBucket(c.bucket) {
		return fail(http.StatusConflict, "BucketAlreadyOwnedByYou",
			"Your previous request to create the named bucket succeeded and you already own it.").with("BucketName", c.bucket)
	}
	c.w.Header().Set("Location", "/"+c.bucket)
	c.reply(http.StatusOK, nil)
	return nil
}

// deleteBucket answers DeleteBucket.
func (c *call) deleteBucket() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return err
	}
	if b.objects.Len() > 0 || b.history.Len() > 0 {
		return fail(http.StatusConflict, "BucketNotEmpty", "The bucket you tried to delete is not empty")
	}
	delete(c.buckets, c.bucket)
	c.reply(http.StatusNoContent, nil)
	return nil
}

// getLocation answers GetBucketLocation: us-east-1 is told by an empty element.
func (c *call) getLocation() error {
	c.mu.RLock()
	b, err := c.locate(c.bucket)
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	x := newXML("LocationConstraint")
	if b.region != "us-east-1" {
		x.escape(b.region)
	}
	x.end("LocationConstraint")
	c.reply(http.StatusOK, x)
	return nil
}

// getVersioning answers GetBucketVersioning.
func (c *call) getVersioning() error {
	c.mu.RLock()
	b, err := c.locate(c.bucket)
	var state string
	if err == nil {
		state = b.versioning
	}
	c.mu.RUnlock()
	if err != nil {
		return err
	}
	x := newXML("VersioningConfiguration")
	if state != "" {
		x.text("Status", state)
	}
	x.end("VersioningConfiguration")
	c.reply(http.StatusOK, x)
	return nil
}

// putVersioning answers PutBucketVersioning.
func (c *call) putVersioning() error {
	var in struct {
		XMLName xml.Name `xml:"VersioningConfiguration"`
		Status  string
	}
	if err := c.document(&in); err != nil {
		return err
	}
	if in.Status != versioningEnabled && in.Status != versioningSuspended {
		return errMalformedXML()
	}
	if err := c.setVersioning(c.bucket, in.Status); err != nil {
		return err
	}
	c.reply(http.StatusOK, nil)
	return nil
}

// setVersioning changes the state of a bucket.
func (s *Server) setVersioning(name, state string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.locate(name)
	if err != nil {
		return err
	}
	b.versioning = state
	return nil
}
