package integration

import (
	"bytes"
	"encoding/xml"
	"net/http"
	"os"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// quirk is a way in which a server differs from S3, by public report.
type quirk struct {
	name    string
	server  s3test.Options // the reference server with the quirk
	missing []s3.Feature   // what s3mount reports, each exactly once
}

// quirks are the reports that the real servers of the tests do not cover.
var quirks = []quirk{
	{
		name:    "X-Amz-Checksum-Mode is 501 (Cloudflare R2)", // github.com/minio/mc/issues/5057
		server:  s3test.Options{Support: refused(s3.FeatureChecksumMode)},
		missing: []s3.Feature{s3.FeatureChecksumMode},
	},
	{
		name:    "X-Amz-Checksum-Mode is 400 (Backblaze B2)", // github.com/minio/mc/issues/5072
		server:  s3test.Options{Support: refused(s3.FeatureChecksumMode), Refusal: s3test.Refusal{Status: 400, Code: "InvalidArgument"}},
		missing: []s3.Feature{s3.FeatureChecksumMode},
	},
	{
		name:    "DeleteObjects is 400 NotImplemented (Google Cloud Storage)", // github.com/s3tools/s3cmd/issues/1222
		server:  s3test.Options{Support: refused(s3.FeatureDeleteObjects), Refusal: s3test.Refusal{Status: 400, Code: "NotImplemented"}},
		missing: []s3.Feature{s3.FeatureDeleteObjects},
	},
	{
		name:    "DeleteObjects is 400 InvalidArgument (Google Cloud Storage)", // github.com/supabase/storage/issues/898
		server:  s3test.Options{Support: refused(s3.FeatureDeleteObjects), Refusal: s3test.Refusal{Status: 400, Code: "InvalidArgument"}},
		missing: []s3.Feature{s3.FeatureDeleteObjects},
	},
	{
		name:    "DeleteObjects is 405",
		server:  s3test.Options{Support: refused(s3.FeatureDeleteObjects), Refusal: s3test.Refusal{Status: 405, Code: "MethodNotAllowed"}},
		missing: []s3.Feature{s3.FeatureDeleteObjects},
	},
	{
		name:    "DeleteObjects is MalformedXML (OpenStack Swift)",
		server:  s3test.Options{Support: refused(s3.FeatureDeleteObjects), Refusal: s3test.Refusal{Status: 400, Code: "MalformedXML"}},
		missing: []s3.Feature{s3.FeatureDeleteObjects},
	},
	{
		name:    "conditional PUT is 501 (Alibaba OSS, OpenStack Swift)", // github.com/tobi/walgit/issues/67
		server:  s3test.Options{Support: refused(s3.FeaturePutIfMatch, s3.FeaturePutIfNoneMatch, s3.FeatureCompleteIfMatch, s3.FeatureCompleteIfNoneMatch)},
		missing: []s3.Feature{s3.FeaturePutIfMatch, s3.FeaturePutIfNoneMatch},
	},
	{
		name:    "every condition is 501",
		server:  s3test.Options{NotImplementedConditional: true},
		missing: []s3.Feature{s3.FeaturePutIfMatch, s3.FeaturePutIfNoneMatch},
	},
	{
		name:    "conditions are ignored (OVH)", // github.com/ovh/public-cloud-roadmap/issues/671
		server:  s3test.Options{NoConditionalWrites: true},
		missing: []s3.Feature{s3.FeaturePutIfMatch, s3.FeaturePutIfNoneMatch},
	},
	{
		name:    "If-Match wants no quotes (Ceph)",
		server:  s3test.Options{UnquotedETags: true, ResultsAsCeph: true},
		missing: []s3.Feature{s3.FeatureQuotedETag},
	},
	{
		name:    "UploadPartCopy is 501 (Storj)", // github.com/storj/edge/issues/286
		server:  s3test.Options{Support: refused(s3.FeaturePartCopy)},
		missing: []s3.Feature{s3.FeaturePartCopy},
	},
	{
		name:    "CopyObject and UploadPartCopy are 501 (Storj)", // github.com/rclone/rclone/issues/5595
		server:  s3test.Options{Support: refused(s3.FeaturePartCopy, s3.FeatureCopy)},
		missing: []s3.Feature{s3.FeaturePartCopy, s3.FeatureCopy},
	},
	{
		name:   "ETags are weak (nginx with compression)", // github.com/commontoolsinc/labs/pull/1751
		server: s3test.Options{WeakETags: true},
	},
	{
		name:    "If-Match of GET never matches (SeaweedFS)", // github.com/seaweedfs/seaweedfs/issues/7274
		server:  s3test.Options{Support: refused(s3.FeatureGetIfMatch)},
		missing: []s3.Feature{s3.FeatureGetIfMatch},
	},
	{
		name:    "pages without NextContinuationToken (Huawei OBS)", // github.com/minio/minio-go/issues/1704
		server:  s3test.Options{Support: map[s3.Feature]s3.Support{s3.FeatureListToken: s3.SupportIgnored}, MaxKeys: 7},
		missing: []s3.Feature{s3.FeatureListToken},
	},
	{
		name:   "continuation tokens have always expired",
		server: s3test.Options{Support: refused(s3.FeatureListToken), MaxKeys: 7},
	},
	{
		name:    "no ListObjectsV2",
		server:  s3test.Options{Support: refused(s3.FeatureListV2), MaxKeys: 7},
		missing: []s3.Feature{s3.FeatureListV2},
	},
	{
		name:    "absent objects are 403 (no right to list)", // github.com/fsspec/s3fs/issues/591
		server:  s3test.Options{Support: refused(s3.FeatureHeadAbsent)},
		missing: []s3.Feature{s3.FeatureHeadAbsent},
	},
	{
		name:   "other root elements (rclone, S3Mock)", // github.com/adobe/S3Mock/issues/102
		server: s3test.Options{XMLRoot: "Result"},
	},
	{
		name:   "no trailers",
		server: s3test.Options{NoTrailers: true},
	},
}

func refused(features ...s3.Feature) map[s3.Feature]s3.Support {
	m := map[s3.Feature]s3.Support{}
	for _, f := range features {
		m[f] = s3.SupportRefused
	}
	return m
}

// TestQuirks does a day's work against servers that differ from S3. No program
// sees an error, and s3mount reports each difference once.
func TestQuirks(t *testing.T) {
	t.Parallel()
	for _, q := range quirks {
		run(t, q.name, func(t *testing.T, w *harness.World) {
			o := q.server
			o.AccessKey, o.SecretKey, o.Buckets = harness.AccessKey, harness.SecretKey, []string{"b"}
			srv := s3test.NewServer(t, o)
			everyday.runOn(t, w, srv.URL(), harness.NewReferee(srv.URL(), "b"))
			wantReported(t, w, q.missing)
		})
	}
}

// TestDeletesThatAreSlowedDown does a day's work in front of a server that answers
// every other DeleteObjects as done, and refuses each key in it for the moment.
func TestDeletesThatAreSlowedDown(t *testing.T) {
	t.Parallel()
	for _, code := range []string{"SlowDown", "InternalError"} {
		run(t, code, func(t *testing.T, w *harness.World) {
			var requests atomic.Int64
			endpoint := w.Relay(t, w.Endpoint, func(out http.ResponseWriter, r *http.Request) bool {
				if r.Method != http.MethodPost || !r.URL.Query().Has("delete") || requests.Add(1)%2 == 0 {
					return false
				}
				refuseKeys(t, out, r, code)
				return true
			})
			everyday.runOn(t, w, endpoint, w.Bucket(t))
			if requests.Load() < 2 {
				t.Errorf("%d requests to DeleteObjects", requests.Load())
			}
		})
	}
}

// refuseKeys answers a DeleteObjects with an error for each key.
func refuseKeys(t *testing.T, out http.ResponseWriter, r *http.Request, code string) {
	var in struct {
		Object []struct{ Key string }
	}
	if err := xml.NewDecoder(r.Body).Decode(&in); err != nil {
		t.Errorf("read a DeleteObjects: %v", err)
	}
	type refusal struct{ Key, Code, Message string }
	var answer struct {
		XMLName xml.Name `xml:"DeleteResult"`
		Error   []refusal
	}
	for _, o := range in.Object {
		answer.Error = append(answer.Error, refusal{o.Key, code, "try again"})
	}
	if err := xml.NewEncoder(out).Encode(answer); err != nil {
		t.Errorf("answer a DeleteObjects: %v", err)
	}
}

// wantReported fails the test unless each log of a mount that reports a missing
// feature reports it once, and one log reports each of the features.
func wantReported(t *testing.T, w *harness.World, missing []s3.Feature) {
	t.Helper()
	reported := map[string]bool{}
	for _, path := range w.Logs() {
		b, err := os.ReadFile(path)
		must(t, err)
		inLog := map[string]int{}
		for line := range bytes.Lines(b) {
			if _, rest, ok := strings.Cut(string(line), "s3mount therefore"); ok {
				_, name, _ := strings.Cut(rest, " feature=")
				name, _, _ = strings.Cut(name, " ")
				inLog[name]++
				reported[name] = true
			}
		}
		for name, n := range inLog {
			if n > 1 {
				t.Errorf("%s is reported %d times in one log", name, n)
			}
		}
	}
	for _, f := range missing {
		if !reported[f.String()] {
			t.Errorf("%s is not reported", f)
		}
	}
}
