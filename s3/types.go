package s3

import (
	"io"
	"time"
)

// Limits of the S3 API
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read in
// November 2026). 10,000 parts of at most 5 GiB make an object of at most 48.8 TiB;
// other servers end at 5 TiB, as S3 did until 2025.
const (
	// MaxKeyLength is the longest key in bytes.
	MaxKeyLength = 1024
	// MaxPartNumber is the highest part number of a multipart upload.
	MaxPartNumber = 10_000
	// MinPartSize is the smallest part in bytes, the last part excepted.
	MinPartSize = 5 << 20
	// MaxPartSize is the largest part, and the largest single PUT or CopyObject, in bytes.
	MaxPartSize = 5 << 30
	// MaxListKeys is the most keys that one LIST answers or one DeleteObjects takes.
	MaxListKeys = 1000
)

// Range selects bytes of an object as an HTTP Range header does (RFC 9110,
// section 14.1.2). The zero value is the whole object. Use the constructors.
type Range struct {
	kind        rangeKind
	first, last int64 // last is the number of bytes for rangeLast
}

type rangeKind uint8

const (
	rangeAll rangeKind = iota
	rangeBytes
	rangeFrom
	rangeLast
)

// Bytes selects the bytes first to last, both included.
func Bytes(first, last int64) Range { return Range{rangeBytes, first, last} }

// From selects the bytes from first to the end.
func From(first int64) Range { return Range{kind: rangeFrom, first: first} }

// Last selects the last n bytes.
func Last(n int64) Range { return Range{kind: rangeLast, last: n} }

// ObjectInfo is what S3 tells of one object beside its bytes.
type ObjectInfo struct {
	Key          string
	Size         int64  // of the whole object in bytes, also in the answer to a ranged GET
	ETag         string // as sent, with its quotes
	LastModified time.Time
	VersionID    string
	StorageClass string // "" is STANDARD

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Expires            string
	Metadata           map[string]string // x-amz-meta-*, names in lower case, values decoded
	MissingMeta        int               // x-amz-missing-meta
	Checksum           Checksum          // where the server gives one
	SSE                string            // x-amz-server-side-encryption
	KMSKeyID           string            // of the key in KMS that encrypts the object
	BucketKeyEnabled   bool
	CustomerKey        bool   // the object is encrypted with a customer's key (SSE-C)
	TagCount           int    // how many tags the object has, if the client may read them
	Restore            string // x-amz-restore
	ArchiveStatus      string
	DeleteMarker       bool
}

// Checksum names an additional checksum of S3 and its base64 value.
type Checksum struct {
	Algorithm ChecksumAlgorithm
	Value     string
}

// ChecksumAlgorithm is one of S3's additional checksums.
type ChecksumAlgorithm string

// The checksums that this package computes.
const (
	CRC32C    ChecksumAlgorithm = "CRC32C"
	CRC64NVME ChecksumAlgorithm = "CRC64NVME"
	CRC32     ChecksumAlgorithm = "CRC32" // of downloads only: other clients upload with it
)

// ObjectOptions are the properties that an object gets when it is written by
// Put, CreateUpload or Copy. The zero value leaves all of them to the server.
type ObjectOptions struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Expires            string
	ACL                string // a canned ACL, e.g. "bucket-owner-full-control"
	StorageClass       string
	Metadata           map[string]string // user metadata; non-ASCII values are sent as RFC 2047
	Tags               map[string]string
	// KeepTags adds the tags that the object under the key has before it is replaced.
	KeepTags bool `json:",omitempty"`
	SSE      ServerSideEncryption
}

// ServerSideEncryption chooses how S3 encrypts an object at rest.
type ServerSideEncryption struct {
	Algorithm        string // "", "AES256", "aws:kms" or "aws:kms:dsse"
	KMSKeyID         string
	KMSContext       string // base64 JSON
	BucketKeyEnabled bool
	Customer         *CustomerKey // SSE-C; excludes Algorithm
}

// CustomerKey is a 256-bit key for SSE-C. It is never logged.
type CustomerKey struct{ Key [32]byte }

// Conditions make a request conditional (RFC 9110, section 13). ETags are
// sent as given, with their quotes. "*" matches any version.
type Conditions struct {
	IfMatch           string
	IfNoneMatch       string
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
}

// GetInput asks for an object or a range of it.
type GetInput struct {
	Bucket, Key string
	VersionID   string
	Range       Range
	Conditions
	SSE *CustomerKey
	// Unchecked leaves it to the caller to hold Body to the Checksum of the answer.
	Unchecked bool
}

// GetOutput is the answer to a GET. The caller closes Body.
type GetOutput struct {
	ObjectInfo
	// Body yields exactly Length bytes or an error that is not io.EOF. A body
	// that breaks is resumed from the byte where it broke, on the same ETag. One
	// whose checksum is wrong gives ErrChecksum in place of its last bytes.
	Body io.ReadCloser
	// Offset is the object offset of Body's first byte, Length the number of bytes in Body.
	Offset, Length int64
}

// HeadInput asks for an object's ObjectInfo.
type HeadInput struct {
	Bucket, Key string
	VersionID   string
	Conditions
	SSE *CustomerKey
	// DeniedIsAbsent makes the answer 403 count as 404. Without s3:ListBucket, S3 answers both
	// for absent objects and for objects that may not be read with 403
	// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadObject.html).
	DeniedIsAbsent bool
}

// PutInput writes a whole object. Body must yield exactly Size bytes. A Body
// that is an io.Seeker is sent again, from where it stood, when an attempt
// fails; any other can be sent once.
type PutInput struct {
	Bucket, Key string
	Body        io.Reader
	Size        int64
	ObjectOptions
	IfMatch, IfNoneMatch string
	Expect100            bool // ask before sending the body (RFC 9110, 10.1.1)
}

// PutOutput is the acknowledgement of a write.
type PutOutput struct {
	ETag      string
	VersionID string
	Date      time.Time // the server's clock when it answered, zero if it sent none
}

// DeleteInput deletes one object or one version of it.
type DeleteInput struct {
	Bucket, Key string
	VersionID   string
	IfMatch     string
}

// DeleteOutput tells what a delete left behind in a versioned bucket.
type DeleteOutput struct {
	VersionID    string
	DeleteMarker bool
}

// DeleteMultiInput deletes many objects; more than MaxListKeys are split over several requests.
type DeleteMultiInput struct {
	Bucket  string
	Objects []ObjectID
}

// ObjectID names an object, or one version of it, to DeleteMulti.
type ObjectID struct {
	Key, VersionID string
	ETag           string // if set, delete only this version of the bytes
}

// DeleteResult is the outcome for one key. Err is nil when the key is now
// absent (also when it was before) and otherwise an *Error.
type DeleteResult struct {
	Key, VersionID        string
	DeleteMarker          bool
	DeleteMarkerVersionID string
	Err                   error
}

// LsInput asks for one page of a listing.
type LsInput struct {
	Bucket            string
	Prefix            string
	Delimiter         string
	StartAfter        string
	ContinuationToken string // wins over StartAfter
	MaxKeys           int    // 0 is MaxListKeys
}

// LsPage is one page of a listing. Objects and CommonPrefixes are each in key order.
type LsPage struct {
	Objects        []ListedObject
	CommonPrefixes []string
	NextToken      string // "" when this is the last page
}

// ListedObject is one object as a listing shows it.
type ListedObject struct {
	Key          string
	Size         int64
	ETag         string
	LastModified time.Time
	StorageClass string
}

// CopyInput copies an object inside S3. Up to MaxPartSize this is one
// CopyObject; a larger source is copied by parallel part copies.
type CopyInput struct {
	SrcBucket, SrcKey, SrcVersionID string
	SrcIf                           Conditions // on the source: ErrPreconditionFailed where they do not hold
	SrcSize                         int64      // if known, spares a HEAD for objects that may exceed MaxPartSize
	Bucket, Key                     string
	IfMatch, IfNoneMatch            string // on the target; few servers enforce them on copies
	// ReplaceMetadata writes ObjectOptions in place of the source's metadata
	// and content headers; otherwise those of the source are kept.
	ReplaceMetadata bool
	ObjectOptions
	SrcSSE *CustomerKey
}

// CopyOutput is the acknowledgement of a copy.
type CopyOutput struct {
	ETag         string
	LastModified time.Time
	VersionID    string
}

// UploadID names a multipart upload. It can be stored, whole, and used after a restart.
type UploadID struct {
	Bucket, Key, ID string
	// Checksum is what CreateUpload asked the server to keep of each part; "" is none.
	Checksum ChecksumAlgorithm
}

// CreateUploadInput starts a multipart upload.
type CreateUploadInput struct {
	Bucket, Key string
	ObjectOptions
	// NoCopies promises that no part will come from CopyPart. Servers other
	// than AWS keep wrong checksums of copied parts; without this promise they
	// are asked to keep none, which costs some of them a checksum of their own.
	NoCopies bool
}

// UploadPartInput uploads one part. Body follows the rules of PutInput.
type UploadPartInput struct {
	Upload     UploadID
	PartNumber int // 1 to MaxPartNumber
	Body       io.Reader
	Size       int64
	SSE        *CustomerKey
}

// CopyPartInput makes one part from a range of another object.
type CopyPartInput struct {
	Upload                          UploadID
	PartNumber                      int
	SrcBucket, SrcKey, SrcVersionID string
	SrcIf                           Conditions // as of CopyInput
	First, Last                     int64      // byte range of the source, both included
	SSE, SrcSSE                     *CustomerKey
}

// Part is an uploaded part, as CompleteUpload wants it back.
type Part struct {
	Number   int
	ETag     string
	Size     int64
	Checksum Checksum
}

// CompleteUploadInput turns an upload into an object. Parts are in ascending order.
type CompleteUploadInput struct {
	Upload               UploadID
	Parts                []Part
	IfMatch, IfNoneMatch string
	SSE                  *CustomerKey
}
