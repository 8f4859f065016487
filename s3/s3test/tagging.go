package s3test

import (
	"encoding/xml"
	"maps"
	"net/http"
	"slices"
)

// getTagging answers GetObjectTagging
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html).
func (c *call) getTagging() error {
	o, err := c.lookup(c.query.Get("versionId"))
	if err != nil {
		return err
	}
	c.versionHeader(o)
	x := newXML("Tagging")
	x.in("TagSet", func() {
		for _, name := range slices.Sorted(maps.Keys(o.props.tags)) {
			x.in("Tag", func() {
				x.text("Key", name)
				x.text("Value", o.props.tags[name])
			})
		}
	})
	x.end("Tagging")
	c.reply(http.StatusOK, x)
	return nil
}

// putTagging answers PutObjectTagging
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObjectTagging.html).
func (c *call) putTagging() error {
	var in struct {
		XMLName xml.Name                      `xml:"Tagging"`
		Tags    []struct{ Key, Value string } `xml:"TagSet>Tag"`
	}
	if err := c.document(&in); err != nil {
		return err
	}
	tags := map[string]string{}
	for _, t := range in.Tags {
		tags[t.Key] = t.Value
	}
	if err := checkTags(tags); err != nil {
		return err
	}
	return c.setTags(tags, http.StatusOK)
}

// deleteTagging answers DeleteObjectTagging.
func (c *call) deleteTagging() error { return c.setTags(nil, http.StatusNoContent) }

// setTags changes the tags of the current version in place: neither its time
// nor its ETag moves.
func (c *call) setTags(tags map[string]string, status int) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return err
	}
	o, err := b.find(c.key, "")
	if err != nil {
		return err
	}
	tagged, props := *o, *o.props
	props.tags = tags
	tagged.props = &props
	b.objects.Set(c.key, &tagged)
	if versions, ok := b.history.Get(c.key); ok {
		versions = slices.Clone(versions)
		versions[len(versions)-1] = &tagged
		b.history.Set(c.key, versions)
	}
	c.versionHeader(o)
	c.reply(status, nil)
	return nil
}
