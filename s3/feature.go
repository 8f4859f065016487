package s3

import (
	"fmt"
	"time"
)

// Feature is something that S3 does and that not every server does.
type Feature uint8

// The features. The table below says how each is detected and replaced.
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

// Support is what a server does with a feature.
type Support uint8

// The kinds of support.
const (
	// SupportUnknown: the server was not asked yet.
	SupportUnknown Support = iota
	// SupportYes: the server does what S3 does.
	SupportYes
	// SupportIgnored: the server accepts the request and ignores the feature.
	SupportIgnored
	// SupportRefused: the server refuses the request, or never finds the
	// condition to hold.
	SupportRefused
)

var supportNames = [...]string{"unknown", "yes", "ignored", "refused"}

// String returns the name that MarshalText writes.
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

// missing reports whether the client has to do without the feature.
func (s Support) missing() bool { return s == SupportIgnored || s == SupportRefused }

// Origin is where the client has a Finding from.
type Origin string

// The origins.
const (
	OriginProbe   Origin = "probe"   // requests on an object of the client's own
	OriginUse     Origin = "use"     // the answer to a request that the caller made
	OriginProfile Origin = "profile" // Options.Server
)

// Finding is what is known of one feature of a server in one bucket.
type Finding struct {
	Feature Feature   `json:"feature"`
	Support Support   `json:"support"`
	Time    time.Time `json:"time"`
	Origin  Origin    `json:"origin"`
}

// Missing reports whether the client has to do without the feature.
func (f Finding) Missing() bool { return f.Support.missing() }

// String describes a missing feature and its replacement in one sentence.
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

// detection is how the client finds out about a feature.
type detection uint8

const (
	// byRefusal: the first request that needs the feature shows it.
	byRefusal detection = iota
	// The others make requests on an object of the client's own before the
	// first request that relies on the feature. One probe answers for all
	// features of its kind.
	byPutProbe
	byCompleteProbe
	byDeleteProbe
	byCopyProbe
	byPartCopyProbe
	probeCount
)

// feature is one row of the table.
type feature struct {
	name    string // in files and in status; it never changes
	subject string // as sentences name it
	detect  detection
	instead string // what the client does without it, as the end of a sentence
}

const comparesFirst = "compares the ETag by a HEAD request immediately before, and a write of another client in between can be lost"

// features is the table of everything that the client expects of S3 and can do
// without. Servers that accept a condition and ignore it are common
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-requests.html
// is what they would have to do), so that only a probe detects them.
var features = [featureCount]feature{
	FeaturePutIfMatch: {"put-if-match", "If-Match of PutObject", byPutProbe, comparesFirst},
	FeaturePutIfNoneMatch: {"put-if-none-match", "If-None-Match of PutObject", byPutProbe,
		"looks for the object by a HEAD request immediately before, and two clients that create one name at the same time can both succeed"},
	FeatureQuotedETag:      {"quoted-etag", "quoted ETags in If-Match", byPutProbe, "sends them without quotes"},
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

// String returns the feature's name.
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
