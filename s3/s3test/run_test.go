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

// TestConformance holds the client and the server to each other, first where
// the server is S3, then where it behaves as others do.
func TestConformance(t *testing.T) {
	unversioned := s3test.Without(s3test.Versioning, "it is not enabled")
	open := s3test.Without(s3test.Authentication, "signatures are not asked for")
	t.Run("as S3", func(t *testing.T) {
		conform(t, s3test.Options{AccessKey: "key", SecretKey: "secret", SessionToken: "token", Versioning: true})
	})
	t.Run("TLS, without versions", func(t *testing.T) {
		conform(t, s3test.Options{TLS: true, AccessKey: "key", SecretKey: "secret"}, unversioned,
			s3test.Rows("Put", "Get", "Delete", "DeleteMulti", "Conditions", "Integrity", "Presign", "Connections", "Features"))
	})
	t.Run("without signatures", func(t *testing.T) {
		conform(t, s3test.Options{PlusEncoding: true, MaxKeys: 3}, unversioned, open,
			s3test.Rows("Ls", "Keys", "Multipart", "Credentials", "Region"))
	})
	t.Run("without url encoding", func(t *testing.T) {
		// The characters that XML cannot hold come as references that few parsers take.
		conform(t, s3test.Options{NoURLEncoding: true}, unversioned, open, s3test.Rows("Ls", "Keys", "Multipart"))
	})
	t.Run("conditions ignored", func(t *testing.T) {
		conform(t, s3test.Options{NoConditionalWrites: true}, append(withoutConditions(), unversioned, open,
			s3test.Rows("Put", "Conditions", "Stream", "Copy", "Multipart", "Features"))...)
	})
	t.Run("conditions not implemented", func(t *testing.T) {
		conform(t, s3test.Options{NotImplementedConditional: true}, append(withoutConditions(), unversioned, open,
			s3test.Rows("Put", "Conditions", "Copy", "Features"))...)
	})
	t.Run("unquoted ETags", func(t *testing.T) {
		conform(t, s3test.Options{UnquotedETags: true}, unversioned, open, s3test.Rows("Features"))
	})
	t.Run("results as Ceph", func(t *testing.T) {
		conform(t, s3test.Options{ResultsAsCeph: true}, unversioned, open, s3test.Rows("Stream", "Multipart", "Copy", "Retry"))
	})
	t.Run("without trailers", func(t *testing.T) {
		conform(t, s3test.Options{NoTrailers: true}, unversioned, open,
			s3test.Rows("Put", "Stream", "Multipart", "Integrity"))
	})
}

// withoutConditions names all conditional writes.
func withoutConditions() (out []s3test.RunOption) {
	for _, f := range []s3test.Feature{
		s3test.ConditionalPut, s3test.ConditionalComplete, s3test.ConditionalDelete,
		s3test.ConditionalDeleteMulti, s3test.ConditionalCopyTarget,
	} {
		out = append(out, s3test.Without(f, "the server is told not to"))
	}
	return out
}
