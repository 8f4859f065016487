package s3test

import "github.com/s3mount/s3mount/s3"

// testFeatures tests that the probe detects the features of the server.
func testFeatures(e *env) {
	e.put("kept", "kept")
	got, err := e.c.ProbeFeatures(e.ctx, e.bucket)
	e.ok("probe", err)
	for x, want := range map[s3.Feature]Feature{
		s3.FeaturePutIfNoneMatch:      ConditionalPut,
		s3.FeaturePutIfMatch:          ConditionalPut,
		s3.FeatureCompleteIfNoneMatch: ConditionalComplete,
		s3.FeatureCompleteIfMatch:     ConditionalComplete,
		s3.FeatureDeleteIfMatch:       ConditionalDelete,
		s3.FeatureDeleteObjectsETag:   ConditionalDeleteMulti,
		s3.FeatureCopyIfNoneMatch:     ConditionalCopyTarget,
		s3.FeatureCopyIfMatch:         ConditionalCopyTarget,
		s3.FeatureCopySourceIf:        ConditionalCopySource,
	} {
		if support := got[x].Support; (support == s3.SupportYes) != e.has(want) {
			e.Errorf("%s is %s, but the server has %q: %t", x, support, want, e.has(want))
		}
	}
	if e.has(VersionIDs) {
		if rows, err := e.rows(s3.LsInput{Bucket: e.bucket}); err != nil || len(rows) != 1 {
			e.Errorf("the probe left %q %v", rows, err)
		}
	}
	e.noUploads("probe-")
}
