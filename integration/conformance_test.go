package integration

import (
	"context"
	"testing"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3mount/s3mount/integration/harness"
	s3mount "github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// streamed is long enough to show growth over the bound of 40 MiB. Package
// s3's own tests stream 5 GiB.
const streamed = 96 << 20

// TestConformance holds package s3, and two servers that others wrote, to the
// suite that s3test's own server passes. What a server lacks has its reason.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("versitygw", func(t *testing.T) {
		harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
			conform(t, versioned(w), append(lacksOfVersitygw(), s3test.StreamSize(streamed))...)
		})
	})
	t.Run("gofakes3", func(t *testing.T) {
		harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
			conform(t, memory(w), append(lacksOfGofakes3(), s3test.StreamSize(streamed))...)
		})
	})
}

func lacksOfVersitygw() []s3test.RunOption {
	return []s3test.RunOption{
		s3test.Without(s3test.NestedKeys, "keys are paths: a file cannot be a directory, too"),
		s3test.Without(s3test.RawKeys, "keys are paths: empty, . and .. segments are refused"),
		s3test.Without(s3test.LongSegments, "keys are paths: a file name has 255 bytes at most"),
		s3test.Without(s3test.MarkerBodies, "a key that ends in a slash is a directory, which has no bytes"),
		s3test.Without(s3test.ControlKeys, "encoding-type=url is ignored, and XML cannot hold control characters"),
		s3test.Without(s3test.CustomerKeys, "SSE-C headers are ignored"),
		s3test.Without(s3test.Encryption, "SSE headers are ignored"),
		s3test.Without(s3test.StorageClasses, "x-amz-storage-class is ignored"),
		s3test.Without(s3test.ConditionalDeleteMulti, "the ETag of an entry is ignored"),
		s3test.Without(s3test.ConditionalCopyTarget, "If-Match and If-None-Match of CopyObject are ignored"),
		s3test.Without(s3test.UploadPages, "it refuses the upload-id-marker that it gave"),
	}
}

func lacksOfGofakes3() []s3test.RunOption {
	return []s3test.RunOption{
		s3test.Without(s3test.Authentication, "signatures are not checked"),
		s3test.Without(s3test.BucketRegion, "HEAD of a bucket does not tell it"),
		s3test.Without(s3test.Checksums, "x-amz-checksum headers are ignored, trailers become part of the object"),
		s3test.Without(s3test.ConditionalComplete, "If-Match and If-None-Match of CompleteMultipartUpload are ignored"),
		s3test.Without(s3test.ConditionalCopySource, "x-amz-copy-source-if headers are ignored"),
		s3test.Without(s3test.ConditionalCopyTarget, "If-Match and If-None-Match of CopyObject are ignored"),
		s3test.Without(s3test.ConditionalDelete, "If-Match of DELETE is ignored"),
		s3test.Without(s3test.ConditionalDeleteMulti, "the ETag of an entry is ignored"),
		s3test.Without(s3test.ConditionalGet, "If-Match and If-Unmodified-Since of GET are ignored"),
		s3test.Without(s3test.ContentHeaders, "Cache-Control, Content-Language and Expires are not kept"),
		s3test.Without(s3test.ControlKeys, "encoding-type=url is ignored, and XML cannot hold control characters"),
		s3test.Without(s3test.CustomerKeys, "SSE-C headers are ignored"),
		s3test.Without(s3test.Delimiters, "a common prefix comes once more on the next page, and for a marker"),
		s3test.Without(s3test.FreshMetadata, "metadata of a replaced object lives on"),
		s3test.Without(s3test.ListParts, "a page starts at the wrong part"),
		s3test.Without(s3test.MultipartETag, "the ETag of a multipart object is its MD5, not what the answer said"),
		s3test.Without(s3test.OpenRanges, "a suffix range longer than the object is refused"),
		s3test.Without(s3test.OwnMemory, "its objects are in the memory of the test"),
		s3test.Without(s3test.PartCopy, "UploadPartCopy is taken for an UploadPart"),
		s3test.Without(s3test.PartOrder, "parts below 5 MiB are taken"),
		s3test.Without(s3test.StorageClasses, "listings do not tell the storage class"),
		s3test.Without(s3test.VersionIDs, "version ids come where there are no versions"),
		s3test.Without(s3test.Versioning, "the buckets of this test are not versioned"),
	}
}

// conform runs the suite on the servers that configure knows.
func conform(t *testing.T, configure func(t *testing.T) (s3mount.Options, string), opts ...s3test.RunOption) {
	t.Helper()
	newClient := func(t *testing.T) (*s3mount.Client, string) {
		o, bucket := configure(t)
		c, err := s3mount.New(o)
		must(t, err)
		t.Cleanup(c.Close)
		return c, bucket
	}
	s3test.Run(t, newClient, append(opts, s3test.Configure(configure))...)
}

// versioned gives new buckets with versions on the shared versitygw.
func versioned(w *harness.World) func(t *testing.T) (s3mount.Options, string) {
	return func(t *testing.T) (s3mount.Options, string) {
		r := w.Bucket(t)
		must(t, enableVersions(w.Context(t), r))
		return clientOptions(w.Endpoint), r.Bucket
	}
}

func enableVersions(ctx context.Context, r *harness.Referee) error {
	_, err := r.Client().PutBucketVersioning(ctx, &s3.PutBucketVersioningInput{
		Bucket: &r.Bucket, VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	return err
}

// memory gives new buckets on a gofakes3 each.
func memory(w *harness.World) func(t *testing.T) (s3mount.Options, string) {
	return func(t *testing.T) (s3mount.Options, string) {
		endpoint := w.Memory(t)
		o := clientOptions(endpoint)
		o.Checksums = s3mount.ChecksumOff // it stores trailers as part of the object
		return o, w.BucketOn(t, endpoint).Bucket
	}
}

func clientOptions(endpoint string) s3mount.Options {
	return s3mount.Options{
		Endpoint: endpoint, Region: harness.Region,
		Credentials: s3mount.StaticCredentials(harness.AccessKey, harness.SecretKey, ""),
	}
}
