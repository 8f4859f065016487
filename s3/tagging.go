package s3

import (
	"context"
	"errors"
	"net/http"
)

// GetTagsInput contains the arguments of GetTags.
type GetTagsInput struct {
	Bucket, Key string
	VersionID   string
}

// GetTags returns the tags of an object. Ceph RGW answers without a document if there are none
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObjectTagging.html).
func (c *Client) GetTags(ctx context.Context, in *GetTagsInput) (map[string]string, error) {
	var tags map[string]string
	k := &call{op: "GetObjectTagging", method: http.MethodGet, bucket: in.Bucket, key: in.Key,
		params: query{{"tagging", ""}}.add("versionId", in.VersionID),
		consume: func(resp *response) error {
			return c.readDocument(resp, func(data []byte) (err error) {
				tags, err = parseTags(data)
				return err
			})
		}}
	_, err := c.do(ctx, k)
	return tags, err
}

// tags returns the tags of an object for a copy. It returns none if the client may not
// read them or the server does not support them.
func (c *Client) tags(ctx context.Context, bucket, key, version string) (map[string]string, error) {
	tags, err := c.GetTags(ctx, &GetTagsInput{Bucket: bucket, Key: key, VersionID: version})
	if errors.Is(err, ErrForbidden) || errors.Is(err, ErrNotImplemented) || errors.Is(err, ErrNotFound) {
		return nil, nil
	}
	return tags, err
}

func parseTags(data []byte) (map[string]string, error) {
	tags := make(map[string]string)
	if len(data) == 0 {
		return tags, nil
	}
	var name string
	err := parseDocument(data, "Tagging", func(parent, element, text []byte) error {
		if string(parent) == "Tag" {
			switch string(element) {
			case "Key":
				name = string(text)
			case "Value":
				tags[name] = string(text)
			}
		}
		return nil
	}, "TagSet")
	return tags, err
}
