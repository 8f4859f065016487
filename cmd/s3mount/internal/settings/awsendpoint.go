package settings

import (
	"errors"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// checkAWSEndpoint refuses choices among the endpoints of AWS that contradict each other.
func (s *Settings) checkAWSEndpoint() error {
	o := s.S3
	multi := strings.HasSuffix(s.Source.Bucket, ".mrap") && o.Endpoint == ""
	switch {
	case (s.CertFile == "") != (s.KeyFile == ""):
		return errors.New("--cert-file and --key-file go together; both may name the same file")
	case o.Endpoint != "" && o.DualStack:
		return errors.New("--dual-stack chooses an endpoint of AWS: leave out --endpoint")
	case o.Endpoint != "" && o.FIPS:
		return errors.New("--fips chooses an endpoint of AWS: leave out --endpoint")
	case o.Endpoint != "" && o.Accelerate:
		return errors.New("--accelerate chooses an endpoint of AWS: leave out --endpoint")
	case o.Endpoint != "" && strings.HasPrefix(s.Source.Bucket, arnPrefix):
		return errors.New("an ARN has an endpoint of its own: leave out --endpoint")
	case o.Accelerate && (o.FIPS || o.Addressing == s3.AddressingPath):
		return errors.New("--accelerate has no endpoints for --fips or --path-style")
	case o.Accelerate && (strings.HasPrefix(s.Source.Bucket, arnPrefix) || multi):
		return errors.New("--accelerate: an access point cannot be accelerated")
	case o.Accelerate && strings.Contains(s.Source.Bucket, "."):
		return errors.New("--accelerate: a bucket with a dot in its name cannot be accelerated")
	case multi && (o.DualStack || o.FIPS || o.Addressing == s3.AddressingPath):
		return errors.New("a multi-region access point has no endpoints for --dual-stack, --fips or --path-style")
	}
	return nil
}
