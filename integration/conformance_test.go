package integration

import (
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestConformance holds package s3 and the servers to the one suite.
func TestConformance(t *testing.T) {
	t.Parallel()
	run(t, "versitygw", func(t *testing.T, w *harness.World) {
		const disk = "keys are paths on a disk"
		s3test.Run(t, conform(w, w.Endpoint, s3.ChecksumAuto),
			s3test.Configure(configure(w, w.Endpoint, s3.ChecksumAuto)),
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
	run(t, "gofakes3", func(t *testing.T, w *harness.World) {
		endpoint := w.Memory(t)
		s3test.Run(t, conform(w, endpoint, s3.ChecksumOff), s3test.Configure(configure(w, endpoint, s3.ChecksumOff)),
			s3test.Without(s3test.Authentication, "it has none"),
			s3test.Without(s3test.BucketRegion, "not told"),
			s3test.Without(s3test.Checksums, "trailers end up in the object"),
			s3test.Without(s3test.MultipartETag, "no -N"),
			s3test.Without(s3test.NestedKeys, "listings show the prefix twice"),
			s3test.Without(s3test.ControlKeys, "encoding-type=url is ignored"),
			s3test.Without(s3test.ConditionalGet, "If-Match on GET is ignored"),
			s3test.Without(s3test.ConditionalComplete, "ignored"),
			s3test.Without(s3test.ConditionalDelete, "ignored"),
			s3test.Without(s3test.ConditionalDeleteMulti, "ignored"),
			s3test.Without(s3test.ConditionalCopySource, "ignored"),
			s3test.Without(s3test.ConditionalCopyTarget, "ignored"),
			s3test.Without(s3test.PartCopy, "refused without a body"),
			s3test.Without(s3test.PartOrder, "not checked"),
			s3test.Without(s3test.ListParts, "wrong numbers"),
			s3test.Without(s3test.ContentHeaders, "not all are kept"),
			s3test.Without(s3test.StorageClasses, "not listed"),
			s3test.Without(s3test.CustomerKeys, "ignored"),
			s3test.Without(s3test.Encryption, "ignored"),
			s3test.Without(s3test.Versioning, "the buckets of the test are not versioned"),
			s3test.Without(s3test.ErrorCodes, "few"),
			s3test.Without(s3test.OpenRanges, "others than S3's"),
		)
	})
}

func configure(w *harness.World, endpoint string, sums s3.ChecksumMode) func(t *testing.T) (s3.Options, string) {
	return func(t *testing.T) (s3.Options, string) {
		return s3.Options{
			Endpoint: endpoint, Region: harness.Region, Checksums: sums,
			Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
		}, w.BucketOn(t, endpoint).Bucket
	}
}

func conform(w *harness.World, endpoint string, sums s3.ChecksumMode) func(t *testing.T) (*s3.Client, string) {
	return func(t *testing.T) (*s3.Client, string) {
		o, bucket := configure(w, endpoint, sums)(t)
		c, err := s3.New(o)
		must(t, err)
		t.Cleanup(c.Close)
		return c, bucket
	}
}
