package s3

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"path"
	"slices"
	"strings"
)

// ObjectRules are the properties of every object that a client makes, by PutObject,
// CopyObject and CreateMultipartUpload. A rule has precedence over the same property in
// ObjectOptions. The zero value has no rules.
type ObjectRules struct {
	// SSE selects the encryption. Its Customer key is also sent with every GET, HEAD
	// and part, and for the sources of copies. Objects without a customer's key can
	// still be read.
	SSE          ServerSideEncryption
	StorageClass string
	ACL          string
	// Tags are added to the other tags of the object.
	Tags    map[string]string
	Headers []HeaderRule
}

// HeaderRule sets a header of the objects whose key matches Pattern. The last matching
// rule has precedence. Content headers are not set on markers, whose keys end in "/",
// nor on keys below Options.ProbePrefix.
type HeaderRule struct {
	// Pattern has the syntax of path.Match. A pattern without "/" matches the last
	// segment of a key, and other patterns match the whole key. "" matches all keys.
	Pattern string
	// Name is one of HeaderRuleNames.
	Name, Value string
}

// HeaderRuleNames returns the headers that a HeaderRule can set.
func HeaderRuleNames() []string {
	return []string{"Cache-Control", "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Type", "Expires"}
}

// matches reports whether the rule applies to key.
func (r HeaderRule) matches(key string) bool {
	if r.Pattern == "" {
		return true
	}
	if !strings.Contains(r.Pattern, "/") {
		key = path.Base(key)
	}
	ok, err := path.Match(r.Pattern, key)
	return err == nil && ok
}

// field returns the property that a header sets, or nil for an unknown header.
func (o *ObjectOptions) field(header string) *string {
	switch header {
	case "Cache-Control":
		return &o.CacheControl
	case "Content-Disposition":
		return &o.ContentDisposition
	case "Content-Encoding":
		return &o.ContentEncoding
	case "Content-Language":
		return &o.ContentLanguage
	case "Content-Type":
		return &o.ContentType
	case "Expires":
		return &o.Expires
	}
	return nil
}

// encrypts reports whether the rules choose an encryption.
func (r *ObjectRules) encrypts() bool { return r.SSE.Algorithm != "" || r.SSE.Customer != nil }

// setHeaders applies the header rules to the options of an object.
func (c *Client) setHeaders(key string, o *ObjectOptions) {
	internal := strings.HasSuffix(key, "/") || c.opts.ProbePrefix != "" && strings.HasPrefix(key, c.opts.ProbePrefix)
	for _, h := range c.opts.Objects.Headers {
		if h.matches(key) && !(internal && strings.HasPrefix(h.Name, "Content-")) {
			*o.field(h.Name) = h.Value
		}
	}
}

// withRules returns o with the rules for key. copied is set for copies inside S3, which
// keep the headers and tags of their source and take only the other rules.
func (c *Client) withRules(key string, o ObjectOptions, copied bool) ObjectOptions {
	r := &c.opts.Objects
	if r.encrypts() {
		o.SSE = r.SSE
	}
	if r.StorageClass != "" {
		o.StorageClass = r.StorageClass
	}
	if r.ACL != "" {
		o.ACL = r.ACL
	}
	if copied {
		return o
	}
	o.Tags = r.withTags(o.Tags)
	c.setHeaders(key, &o)
	return o
}

// withTags returns tags with the tags of the rules, which have precedence.
func (r *ObjectRules) withTags(tags map[string]string) map[string]string {
	if len(r.Tags) == 0 {
		return tags
	}
	all := maps.Clone(r.Tags)
	for name, value := range tags {
		if _, ruled := all[name]; !ruled {
			all[name] = value
		}
	}
	return all
}

// describe adds the headers of an object that a call makes. It returns a description of
// an invalid option, or "". Every call that makes an object, except CopyObject, uses
// it.
func (c *Client) describe(h http.Header, key string, o ObjectOptions) string {
	o = c.withRules(key, o, false)
	return o.apply(h)
}

// describeCopy is describe for CopyObject.
func (c *Client) describeCopy(h http.Header, in *CopyInput) string {
	o := c.withRules(in.Key, in.ObjectOptions, true)
	if in.ReplaceMetadata {
		c.setHeaders(in.Key, &o)
		h["X-Amz-Metadata-Directive"] = []string{"REPLACE"}
	}
	if len(o.Tags) > 0 {
		h["X-Amz-Tagging-Directive"] = []string{"REPLACE"}
	}
	return o.apply(h)
}

// keptTags returns o with the present tags of the object if o.KeepTags is set.
func (c *Client) keptTags(ctx context.Context, bucket, key string, o ObjectOptions) (ObjectOptions, error) {
	if !o.KeepTags {
		return o, nil
	}
	tags, err := c.tags(ctx, bucket, key, "")
	if err != nil {
		return o, fmt.Errorf("keep the tags: %w", err)
	}
	o.KeepTags = false
	if len(tags) > 0 {
		maps.Copy(tags, o.Tags)
		o.Tags = tags
	}
	return o, nil
}

// ruledCopy returns in with the properties that CopyObject does not copy: the storage
// class, and the headers and tags of the rules. It requests the properties of the
// source only if they can matter.
func (c *Client) ruledCopy(ctx context.Context, in *CopyInput) (*CopyInput, error) {
	out := *in
	if len(c.opts.Objects.Tags) > 0 && len(in.Tags) == 0 {
		tags, err := c.tags(ctx, in.SrcBucket, in.SrcKey, in.SrcVersionID)
		if err != nil {
			return nil, err
		}
		out.Tags = c.opts.Objects.withTags(tags)
	}
	if in.ReplaceMetadata || !c.copyDiffers(in) {
		return &out, nil
	}
	src, err := c.copySourceInfo(ctx, in)
	if err != nil {
		return nil, err
	}
	setDefault(&out.StorageClass, src.StorageClass)
	has := src.Options()
	want := has
	c.setHeaders(in.Key, &want)
	for _, name := range HeaderRuleNames() {
		if *want.field(name) != *has.field(name) {
			want.ACL, want.StorageClass, want.Tags, want.SSE = out.ACL, out.StorageClass, out.Tags, out.SSE
			out.ObjectOptions, out.ReplaceMetadata = want, true
			break
		}
	}
	out.KeepTags = false // CopyObject keeps them
	return &out, nil
}

// copyDiffers reports whether a plain CopyObject may lose a property.
func (c *Client) copyDiffers(in *CopyInput) bool {
	r := &c.opts.Objects
	if in.StorageClass == "" && r.StorageClass == "" && c.features(in.SrcBucket).otherClasses.Load() {
		return true
	}
	return slices.ContainsFunc(r.Headers, func(h HeaderRule) bool { return h.matches(in.Key) })
}

// observeStorageClass records that the bucket has an object with another storage class
// than STANDARD. CopyObject would change the class of such objects.
func (c *Client) observeStorageClass(bucket, class string) {
	if class == "" {
		return
	}
	if f := c.features(bucket); !f.otherClasses.Load() {
		f.otherClasses.Store(true)
	}
}

// validate returns the name of the first invalid option and its fault, or "".
func (r *ObjectRules) validate(plain bool) (option, problem string) {
	s := r.SSE
	switch {
	case s.Customer != nil && plain:
		return "Objects.SSE.Customer", "a customer's key is not sent over plain http"
	case s.Customer != nil && (s.Algorithm != "" || s.KMSKeyID != "" || s.BucketKeyEnabled):
		return "Objects.SSE", "a customer's key excludes the other kinds of encryption"
	case s.Algorithm != "" && !slices.Contains(Encryptions(), s.Algorithm):
		return "Objects.SSE.Algorithm", fmt.Sprintf("%q is not one of %s", clip(s.Algorithm, 40), strings.Join(Encryptions(), ", "))
	case (s.KMSKeyID != "" || s.KMSContext != "") && !strings.HasPrefix(s.Algorithm, "aws:kms"):
		return "Objects.SSE.KMSKeyID", "needs the algorithm aws:kms or aws:kms:dsse"
	case s.BucketKeyEnabled && s.Algorithm != "aws:kms":
		return "Objects.SSE.BucketKeyEnabled", "needs the algorithm aws:kms"
	}
	for _, h := range r.Headers {
		if _, err := path.Match(h.Pattern, ""); err != nil {
			return "Objects.Headers", fmt.Sprintf("%q is not a pattern", clip(h.Pattern, 64))
		}
		if !slices.Contains(HeaderRuleNames(), h.Name) {
			return "Objects.Headers", fmt.Sprintf("%q is not one of %s", clip(h.Name, 64), strings.Join(HeaderRuleNames(), ", "))
		}
	}
	return "", ""
}

// Encryptions returns the valid values of ServerSideEncryption.Algorithm.
func Encryptions() []string { return []string{"AES256", "aws:kms", "aws:kms:dsse"} }
