package s3

import (
	"maps"
	"slices"
)

// ServerAuto is the value of Options.Server that detects all features.
const ServerAuto = "auto"

// serverAWS is the profile of S3, which is the default for endpoints of AWS.
const serverAWS = "aws"

// profile holds what is known in advance about a kind of server. The client detects the
// other features.
type profile struct {
	name string
	rows [featureCount]Support
}

// isS3 reports whether the server is known to have all features.
func (p *profile) isS3() bool { return p.name == serverAWS }

// profileOf returns the profile that o names, or the profile of AWS for its endpoints.
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

// ServerProfiles returns the valid values of Options.Server.
func ServerProfiles() []string {
	return append([]string{ServerAuto}, slices.Sorted(maps.Keys(serverProfiles()))...)
}

// serverProfiles returns the known support of features by profile. ProbeFeatures and
// the conformance suite measured MinIO (February 2026) and Ceph RGW 16.2. The entries
// of other servers are from reports and documentation and contain few features.
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
		// Measured on the s3api of Swift 2.30: a condition on a multipart source
		// compares with another ETag than HEAD shows.
		"swift": {FeaturePutIfMatch: SupportRefused, FeaturePutIfNoneMatch: SupportRefused, FeatureQuotedETag: SupportYes,
			FeatureDeleteObjectsETag: SupportRefused, FeatureCopySourceIf: SupportRefused},
	}
}
