package integration

import (
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestConformance holds package s3 and versitygw to the suite that s3test's own
// server passes. (gofakes3 keeps old metadata on a PUT, lists prefixes twice and
// ignores most conditions: too little of the suite would be left.)
func TestConformance(t *testing.T) {
	t.Parallel()
	run(t, "versitygw", func(t *testing.T, w *harness.World) {
		const disk = "keys are paths on a disk"
		s3test.Run(t, conform(w, w.Endpoint),
			s3test.Configure(configure(w, w.Endpoint)),
			s3test.Without(s3test.NestedKeys, disk),
			s3test.Without(s3test.RawKeys, disk),
			s3test.Without(s3test.LongSegments, disk),
			s3test.Without(s3test.MarkerBodies, disk),
			s3test.Without(s3test.ControlKeys, "encoding-type=url is ignored"),
			s3test.Without(s3test.CustomerKeys, "ignored silently"),
			s3test.Without(s3test.Encryption, "ignored silently"),
			s3test.Without(s3test.StorageClasses, "ignored silently"),
			s3test.Without(s3test.ConditionalDeleteMulti, "ignored silently"),
			s3test.Without(s3test.ConditionalCopyTarget, "ignored silently"),
			s3test.Without(s3test.ListParts, "its markers of uploads are not those that it gave"),
			s3test.Without(s3test.Versioning, "the buckets of the test are not versioned"),
		)
	})
}

func configure(w *harness.World, endpoint string) func(t *testing.T) (s3.Options, string) {
	return func(t *testing.T) (s3.Options, string) {
		return s3.Options{
			Endpoint: endpoint, Region: harness.Region,
			Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
		}, w.BucketOn(t, endpoint).Bucket
	}
}

func conform(w *harness.World, endpoint string) func(t *testing.T) (*s3.Client, string) {
	return func(t *testing.T) (*s3.Client, string) {
		o, bucket := configure(w, endpoint)(t)
		c, err := s3.New(o)
		must(t, err)
		t.Cleanup(c.Close)
		return c, bucket
	}
}
