package s3

import (
	"maps"
	"slices"
)

// ServerAuto is the profile of Options.Server that finds everything out.
const ServerAuto = "auto"

// serverAWS is the profile of S3 itself. Endpoints of AWS have it by default.
const serverAWS = "aws"

// profile is what is known of a kind of server without asking it. A feature
// that is not in it is found out as usual.
type profile struct {
	name string
	rows [featureCount]Support
}

// isS3 reports whether the server is known to do everything that S3 does.
func (p *profile) isS3() bool { return p.name == serverAWS }

// profileOf returns the profile that o names, or AWS's for an endpoint of AWS.
func profileOf(o Options, e endpoint) profile {
	name := o.Server
	if (name == "" || name == ServerAuto) && e.aws {
		name = serverAWS
	}
	p := profile{name: name}
	if p.isS3() {
		for i := range p.rows {
			p.rows[i] = SupportYes
		}
	}
	for x, s := range serverProfiles()[name] {
		p.rows[x] = s
	}
	return p
}

// ServerProfiles returns the names that Options.Server may have.
func ServerProfiles() []string {
	return append([]string{ServerAuto}, slices.Sorted(maps.Keys(serverProfiles()))...)
}

// serverProfiles returns the answers that are known. Those of MinIO (February
// 2026) and Ceph RGW 16.2 are measured by ProbeFeatures and the
// conformance suite; those of the others are from public reports and
// documentation, hence short.
func serverProfiles() map[string]map[Feature]Support {
	whole := map[Feature]Support{FeatureDeleteObjects: SupportYes, FeatureGetIfMatch: SupportYes, FeatureCopy: SupportYes,
		FeaturePartCopy: SupportYes, FeatureChecksumMode: SupportYes, FeatureListV2: SupportYes, FeatureListToken: SupportYes,
		FeatureCopyIfMatch: SupportIgnored, FeatureCopyIfNoneMatch: SupportIgnored, FeatureDeleteObjectsETag: SupportIgnored,
		FeaturePutIfMatch: SupportYes, FeaturePutIfNoneMatch: SupportYes}
	with := func(more map[Feature]Support) map[Feature]Support {
		all := maps.Clone(whole)
		maps.Copy(all, more)
		return all
	}
	return map[string]map[Feature]Support{
		serverAWS: {},
		"minio": with(map[Feature]Support{FeatureQuotedETag: SupportYes, FeatureCompleteIfMatch: SupportYes,
			FeatureCompleteIfNoneMatch: SupportYes, FeatureDeleteIfMatch: SupportIgnored,
			FeatureCopySourceIf: SupportYes, FeaturePartCopySourceIf: SupportYes}),
		"ceph": with(map[Feature]Support{FeatureQuotedETag: SupportRefused, FeatureCompleteIfMatch: SupportIgnored,
			FeatureCompleteIfNoneMatch: SupportIgnored, FeatureDeleteIfMatch: SupportIgnored,
			FeatureCopySourceIf: SupportIgnored, FeaturePartCopySourceIf: SupportIgnored}),
		"versitygw": with(map[Feature]Support{FeatureQuotedETag: SupportYes, FeatureCompleteIfMatch: SupportYes,
			FeatureCompleteIfNoneMatch: SupportYes, FeatureDeleteIfMatch: SupportYes, FeatureCopySourceIf: SupportYes}),
		// https://github.com/minio/mc/issues/5072
		"b2": {FeatureChecksumMode: SupportRefused},
		// https://github.com/minio/mc/issues/5057
		"r2": {FeatureChecksumMode: SupportRefused},
		// https://github.com/s3tools/s3cmd/issues/1222
		"gcs":    {FeatureDeleteObjects: SupportRefused},
		"wasabi": {},
		// Measured on Swift's s3api 2.30: a condition on a multipart source
		// compares another ETag than HEAD shows.
		"swift": {FeaturePutIfMatch: SupportRefused, FeaturePutIfNoneMatch: SupportRefused, FeatureQuotedETag: SupportYes,
			FeatureDeleteObjectsETag: SupportRefused, FeatureCopySourceIf: SupportRefused},
	}
}
