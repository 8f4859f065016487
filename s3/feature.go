package s3

import (
	"fmt"
	"time"
)

// Feature is a property of S3 that other servers may lack.
type Feature uint8

// The table features describes how each Feature is detected and replaced.
const (
	FeaturePutIfMatch Feature = iota
	FeaturePutIfNoneMatch
	FeatureQuotedETag
	FeatureCompleteIfMatch
	FeatureCompleteIfNoneMatch
	FeatureDeleteIfMatch
	FeatureDeleteObjects
	FeatureDeleteObjectsETag
	FeatureGetIfMatch
	FeatureCopy
	FeatureCopyIfMatch
	FeatureCopyIfNoneMatch
	FeatureCopySourceIf
	FeaturePartCopy
	FeaturePartCopySourceIf
	FeatureChecksumMode
	FeatureListV2
	FeatureListToken
	FeatureHeadAbsent
	featureCount
)

// Support describes how a server treats a Feature.
type Support uint8

// These are the values of Support.
const (
	// SupportUnknown means that the client has not tested the feature.
	SupportUnknown Support = iota
	// SupportYes means that the server behaves like S3.
	SupportYes
	// SupportIgnored means that the server accepts the request and ignores the feature.
	SupportIgnored
	// SupportRefused means that the server refuses the request, or that its condition
	// never holds.
	SupportRefused
)

var supportNames = [...]string{"unknown", "yes", "ignored", "refused"}

// String returns the name of s, as MarshalText does.
func (s Support) String() string {
	if int(s) < len(supportNames) {
		return supportNames[s]
	}
	return supportNames[SupportUnknown]
}

// MarshalText implements encoding.TextMarshaler.
func (s Support) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Support) UnmarshalText(text []byte) error {
	for i, name := range supportNames {
		if name == string(text) {
			*s = Support(i)
			return nil
		}
	}
	return fmt.Errorf("support %q is not known", clip(string(text), 40))
}

// missing reports whether the client must replace the feature.
func (s Support) missing() bool { return s == SupportIgnored || s == SupportRefused }

// Origin is the source of a Finding.
type Origin string

// These are the values of Origin.
const (
	OriginProbe   Origin = "probe"   // requests on an object that the client created
	OriginUse     Origin = "use"     // the answer to a request of the caller
	OriginProfile Origin = "profile" // Options.Server
)

// Finding is the known Support of one feature by the server of one bucket.
type Finding struct {
	Feature Feature   `json:"feature"`
	Support Support   `json:"support"`
	Time    time.Time `json:"time"`
	Origin  Origin    `json:"origin"`
}

// Missing reports whether the client must replace the feature.
func (f Finding) Missing() bool { return f.Support.missing() }

// String describes the support in one sentence, including the replacement of a missing
// feature.
func (f Finding) String() string {
	row := f.Feature.row()
	switch f.Support {
	case SupportIgnored:
		return "this server ignores " + row.subject + "; s3mount therefore " + row.instead
	case SupportRefused:
		return "this server does not accept " + row.subject + "; s3mount therefore " + row.instead
	case SupportYes:
		return "this server supports " + row.subject
	}
	return "it is not known whether this server supports " + row.subject
}

// detection is the method by which the client detects a feature.
type detection uint8

const (
	// byRefusal detects the feature by the answer to the first request that needs it.
	byRefusal detection = iota
	// The other methods make requests on an object that the client creates, before the
	// first request that relies on the feature. One probe tests all features of its
	// kind.
	byPutProbe
	byCompleteProbe
	byDeleteProbe
	byCopyProbe
	byPartCopyProbe
	probeCount
)

// feature is one row of the table features.
type feature struct {
	name    string // name in files and in the status; it never changes
	subject string // noun phrase for sentences
	detect  detection
	instead string // end of a sentence that says how the client replaces it
}

const comparesFirst = "compares the ETag by a HEAD request immediately before, and a write of another client in between can be lost"

// features lists everything that the client expects of S3 and can replace. Many servers
// accept a condition and ignore it, so that only a probe detects them
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
// describes the expected behaviour).
var features = [featureCount]feature{
	FeaturePutIfMatch: {"put-if-match", "If-Match of PutObject", byPutProbe, comparesFirst},
	FeaturePutIfNoneMatch: {"put-if-none-match", "If-None-Match of PutObject", byPutProbe,
		"looks for the object by a HEAD request immediately before, and two clients that create one name at the same time can both succeed"},
	FeatureQuotedETag:      {"quoted-etag", "quoted ETags in If-Match", byPutProbe, "sends ETags without quotes"},
	FeatureCompleteIfMatch: {"complete-if-match", "If-Match of CompleteMultipartUpload", byCompleteProbe, comparesFirst},
	FeatureCompleteIfNoneMatch: {"complete-if-none-match", "If-None-Match of CompleteMultipartUpload", byCompleteProbe,
		"looks for the object by a HEAD request immediately before, and two clients that create one name at the same time can both succeed"},
	FeatureDeleteIfMatch:     {"delete-if-match", "If-Match of DeleteObject", byDeleteProbe, comparesFirst},
	FeatureDeleteObjects:     {"delete-objects", "DeleteObjects", byRefusal, "deletes objects one by one, in parallel"},
	FeatureDeleteObjectsETag: {"delete-objects-etag", "ETags in DeleteObjects", byDeleteProbe, "deletes versions one by one, in parallel"},
	FeatureGetIfMatch:        {"get-if-match", "If-Match of GetObject", byRefusal, "compares the ETag of each answer itself"},
	FeatureCopy: {"copy", "CopyObject", byRefusal,
		"downloads and uploads the data of every copy, which renames and changes of attributes need"},
	FeatureCopyIfMatch: {"copy-if-match", "If-Match on the target of CopyObject", byCopyProbe, comparesFirst},
	FeatureCopyIfNoneMatch: {"copy-if-none-match", "If-None-Match on the target of CopyObject", byCopyProbe,
		"looks for the target by a HEAD request immediately before, and two clients that rename to one name at the same time can both succeed"},
	FeatureCopySourceIf: {"copy-source-if", "conditions on the source of CopyObject", byCopyProbe,
		"compares the ETag of the source by a HEAD request immediately before"},
	FeaturePartCopy: {"part-copy", "UploadPartCopy", byRefusal,
		"downloads and uploads the data that a changed file keeps"},
	FeaturePartCopySourceIf: {"part-copy-source-if", "conditions on the source of UploadPartCopy", byPartCopyProbe,
		"compares the ETag of the source by a HEAD request after each part"},
	FeatureChecksumMode: {"checksum-mode", "X-Amz-Checksum-Mode", byRefusal, "does not ask for checksums of downloads"},
	FeatureListV2:       {"list-v2", "ListObjectsV2", byRefusal, "uses version 1 of ListObjects"},
	FeatureListToken: {"list-token", "listings that go on by a continuation token", byRefusal,
		"goes on after the last name of a page"},
	FeatureHeadAbsent: {"head-absent", "404 for absent objects", byRefusal, "looks for the object in a listing, too"},
}

func (f Feature) row() feature {
	if f < featureCount {
		return features[f]
	}
	return feature{name: "unknown", subject: "an unknown feature"}
}

// Instead describes how the client replaces the feature. It is the predicate of a
// sentence, such as "deletes objects one by one, in parallel".
func (f Feature) Instead() string { return f.row().instead }

// String returns the name of the feature.
func (f Feature) String() string { return f.row().name }

// MarshalText implements encoding.TextMarshaler.
func (f Feature) MarshalText() ([]byte, error) { return []byte(f.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (f *Feature) UnmarshalText(text []byte) error {
	for i, row := range features {
		if row.name == string(text) {
			*f = Feature(i)
			return nil
		}
	}
	return fmt.Errorf("feature %q is not known", clip(string(text), 40))
}
