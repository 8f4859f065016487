package s3test_test

import (
	"testing"

	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// conform runs the suite on a server with these options.
func conform(t *testing.T, o s3test.Options, opts ...s3test.RunOption) {
	t.Helper()
	o.Buckets = []string{"bucket"}
	configure := func(t *testing.T) (s3.Options, string) {
		srv := s3test.NewServer(t, o)
		options := s3.Options{Endpoint: srv.URL(), Region: "us-east-1", Addressing: s3.AddressingPath, RootCAs: srv.RootCAs()}
		if o.AccessKey != "" {
			options.Credentials = s3.StaticCredentials(o.AccessKey, o.SecretKey, o.SessionToken)
		}
		return options, "bucket"
	}
	newClient := func(t *testing.T) (*s3.Client, string) {
		c := s3test.NewServer(t, o).Client()
		t.Cleanup(c.Close)
		return c, "bucket"
	}
	s3test.Run(t, newClient, append(opts, s3test.Configure(configure))...)
}

func TestConformance(t *testing.T) {
	t.Run("as S3", func(t *testing.T) {
		conform(t, s3test.Options{AccessKey: "key", SecretKey: "secret", SessionToken: "token", Versioning: true})
	})
}
