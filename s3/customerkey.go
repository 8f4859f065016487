package s3

import (
	"context"
	"errors"
	"net/http"
)

const (
	ownerHeader       = "X-Amz-Expected-Bucket-Owner"
	sourceOwnerHeader = "X-Amz-Source-Expected-Bucket-Owner"
	keyMD5Header      = ssecPrefix + "Server-Side-Encryption-Customer-Key-Md5"
	sourceMD5Header   = copySourcePrefix + "Server-Side-Encryption-Customer-Key-Md5"
)

// addCommonHeaders adds the headers that every request of the client carries: the
// expected owner of the bucket and, if the operation takes it, the customer's key.
// Calling it twice has no further effect.
func (c *Client) addCommonHeaders(k *call) {
	if k.header == nil {
		k.header = make(http.Header, 4)
	}
	if owner := c.opts.ExpectedBucketOwner; owner != "" && k.bucket != "" {
		k.header[ownerHeader] = []string{owner}
		if k.header["X-Amz-Copy-Source"] != nil {
			k.header[sourceOwnerHeader] = []string{owner}
		}
	}
	c.addCustomerKey(k)
}

// addCustomerKey adds the key of Options.Objects to a call without a key.
func (c *Client) addCustomerKey(k *call) {
	key := c.opts.Objects.SSE.Customer
	if key == nil || k.keyless {
		return
	}
	switch k.op {
	case "GetObject", "HeadObject", "UploadPart", "UploadPartCopy", opComplete:
		if k.header[keyMD5Header] == nil {
			key.apply(k.header, ssecPrefix)
		}
	}
	switch k.op {
	case opCopy, "UploadPartCopy":
		if k.header[sourceMD5Header] == nil {
			key.apply(k.header, copySourcePrefix)
		}
	}
}

// remedyCustomerKey removes the key of Options.Objects from a read, or from the source
// of a copy, after a 400. S3 returns 400 if the object is not encrypted with a
// customer's key.
func (c *Client) remedyCustomerKey(k *call, e *Error) bool {
	if c.opts.Objects.SSE.Customer == nil || k.keyless || e.Status != http.StatusBadRequest {
		return false
	}
	prefix := copySourcePrefix
	switch k.op {
	case "GetObject", "HeadObject":
		prefix = ssecPrefix
	case opCopy, "UploadPartCopy":
	default:
		return false
	}
	k.keyless = true
	for _, name := range [...]string{"Algorithm", "Key", "Key-Md5"} {
		delete(k.header, prefix+"Server-Side-Encryption-Customer-"+name)
	}
	return true
}

// errNotEncrypted is the error for a server that ignores a customer's key.
var errNotEncrypted = errors.New("the server ignores the customer's key (SSE-C): the answer does not confirm it")

// checkCustomerKey checks that a successful answer confirms the customer's key of the
// request. Parts need no confirmation, because the key of an upload is confirmed when it
// begins. MinIO does not confirm the key of copies and new uploads; see confirmCustomerKey.
func (c *Client) checkCustomerKey(k *call, h http.Header) error {
	sent := k.header[keyMD5Header]
	if sent == nil {
		return nil
	}
	sum, confirmed := first(h, keyMD5Header), first(h, ssecPrefix+"Server-Side-Encryption-Customer-Algorithm") == "AES256"
	switch k.op {
	case "UploadPart", "UploadPartCopy", opComplete:
		return nil
	case "CreateMultipartUpload", opCopy:
		if k.unconfirmed = !confirmed; k.unconfirmed {
			return nil
		}
	}
	if !confirmed || sum != "" && sum != sent[0] {
		return permanentError{errNotEncrypted}
	}
	c.features(k.bucket).customerKeys.Store(true)
	return nil
}

// confirmCustomerKey makes sure that the server does not ignore a customer's key, after an
// answer that says nothing about the key. Unless another answer has confirmed one, it writes
// an object of its own.
func (c *Client) confirmCustomerKey(ctx context.Context, k *call) error {
	f := c.features(k.bucket)
	if !k.unconfirmed || f.customerKeys.Load() {
		return nil
	}
	if c.opts.ProbePrefix == "" || c.opts.Objects.SSE.Customer == nil {
		return k.fail(errNotEncrypted)
	}
	p := newProbe(c, k.bucket)
	if err := p.put(ctx, condition{}); err != nil {
		return err
	}
	return p.clean(ctx)
}
