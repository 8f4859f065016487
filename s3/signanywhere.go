package s3

import (
	"encoding/hex"
	"fmt"
	"net/http"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/smithy-go/aws-http-auth/credentials"
	"github.com/aws/smithy-go/aws-http-auth/sigv4a"
	v4 "github.com/aws/smithy-go/aws-http-auth/v4"
)

// anyRegion is the region of a target that S3 chooses for each request: a multi-region
// access point.
const anyRegion = "*"

// newAnywhereSigner returns a signer for requests to multi-region access points, which S3
// may answer in any region. They need Signature Version 4A
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/MultiRegionAccessPointRequests.html).
func newAnywhereSigner() *sigv4a.Signer {
	return sigv4a.New(func(o *v4.SignerOptions) { o.DisableDoublePathEscape = true })
}

// signAnywhere signs a request for all regions. The header X-Amz-Content-Sha256 must be there.
func (c *Client) signAnywhere(req *http.Request, cr aws.Credentials, t signTarget) error {
	payload := req.Header["X-Amz-Content-Sha256"][0]
	hash, err := hex.DecodeString(payload)
	switch {
	case payload == unsignedPayload:
		hash = v4.UnsignedPayload()
	case err != nil:
		return fmt.Errorf("sign for all regions: the payload %s cannot be signed", payload)
	}
	err = c.anywhere.SignRequest(&sigv4a.SignRequestInput{Request: req, PayloadHash: hash, Service: t.service, RegionSet: []string{anyRegion}, Time: t.now,
		Credentials: credentials.Credentials{AccessKeyID: cr.AccessKeyID, SecretAccessKey: cr.SecretAccessKey, SessionToken: cr.SessionToken}})
	if err != nil {
		return fmt.Errorf("sign for all regions: %w", err)
	}
	delete(req.Header, "Host") // net/http sends Request.Host
	return nil
}
