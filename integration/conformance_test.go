package integration

import (
	"context"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/integration/servers"
	s3mount "github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// streamed is long enough to show growth over the bound of 40 MiB. Package
// s3's own tests stream 5 GiB.
const streamed = 96 << 20

// TestConformance runs the suite of s3test against a real server. The table of servers
// contains the features that the server lacks, with reasons.
func TestConformance(t *testing.T) {
	t.Parallel()
	t.Run("server", func(t *testing.T) {
		harness.Run(t, harness.Config{Timeout: conformanceTime}, func(t *testing.T, w *harness.World) {
			conform(t, bucketsOf(w, ""), append(without(w.Server, ""), s3test.StreamSize(streamed))...)
		})
	})
	if harness.IsChosen(servers.Versitygw) {
		t.Run("gofakes3", func(t *testing.T) {
			harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
				conform(t, memory(w), append(without(servers.Gofakes3, ""), s3test.StreamSize(streamed))...)
			})
		})
	}
}

// TestConformanceLimits runs, for each feature that a server lacks by the table of
// servers, a row of the suite that needs the feature. The row must fail.
func TestConformanceLimits(t *testing.T) {
	t.Parallel()
	for _, s := range servers.All {
		if !harness.IsChosen(s.Name) && (s.Name != servers.Gofakes3 || !harness.IsChosen(servers.Versitygw)) {
			continue
		}
		for _, l := range s.Features() {
			if l.NotRun {
				continue
			}
			t.Run(s.Name+"/"+string(l.Feature), func(t *testing.T) {
				harness.Run(t, harness.Config{Limit: l.Reason}, func(t *testing.T, w *harness.World) {
					buckets := bucketsOf(w, l.Feature)
					if s.Name == servers.Gofakes3 {
						buckets = memory(w)
					}
					conform(t, buckets, append(without(s.Name, l.Feature), s3test.Rows(l.Row), s3test.StreamSize(streamed))...)
				})
			})
		}
	}
}

// conformanceTime is long enough for Ceph, which is slow on two processors.
const conformanceTime = 5 * time.Minute

// without returns the options for the features that a server lacks, except for one
// feature.
func without(server string, except s3test.Feature) (opts []s3test.RunOption) {
	s, _ := servers.Get(server)
	for _, l := range s.Features() {
		if l.Feature != except {
			opts = append(opts, s3test.Without(l.Feature, l.Reason))
		}
	}
	return opts
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

// bucketsOf gives new buckets on the shared server. They have versions, unless the
// table says that the suite cannot run with them there and except does not say
// that it is to run with them all the same.
func bucketsOf(w *harness.World, except s3test.Feature) func(t *testing.T) (s3mount.Options, string) {
	return func(t *testing.T) (s3mount.Options, string) {
		r := w.Bucket(t)
		if s, _ := servers.Get(w.Server); !s.Lacks(s3test.Versioning) || except == s3test.Versioning {
			must(t, enableVersions(w.Context(t), r))
		}
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
