package s3

import (
	"io"
	"time"
)

// These are limits of the S3 API
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, read in November
// 2026). An object of 10,000 parts of 5 GiB has 48.8 TiB. Other servers, and S3 until
// 2025, limit objects to 5 TiB.
const (
	// MaxKeyLength is the length of the longest key in bytes.
	MaxKeyLength = 1024
	// MaxPartNumber is the highest part number of a multipart upload.
	MaxPartNumber = 10_000
	// MinPartSize is the smallest size of a part in bytes, except for the last part.
	MinPartSize = 5 << 20
	// MaxPartSize is the largest size of a part, and of a single PUT or CopyObject, in
	// bytes.
	MaxPartSize = 5 << 30
	// MaxListKeys is the largest number of keys in one LIST or one DeleteObjects.
	MaxListKeys = 1000
)

// Range selects bytes of an object like an HTTP Range header (RFC 9110, section
// 14.1.2). The zero value selects the whole object. Bytes, From and Last return other
// ranges.
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

// Bytes returns the range of the bytes first to last, inclusive.
func Bytes(first, last int64) Range { return Range{rangeBytes, first, last} }

// From returns the range from the byte first to the end.
func From(first int64) Range { return Range{kind: rangeFrom, first: first} }

// Last returns the range of the last n bytes.
func Last(n int64) Range { return Range{kind: rangeLast, last: n} }

// ObjectInfo describes an object without its data.
type ObjectInfo struct {
	Key          string
	Size         int64  // size of the whole object in bytes, even after a GET of a range
	ETag         string // with its quotes
	LastModified time.Time
	VersionID    string
	StorageClass string // "" means STANDARD

	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Expires            string
	Metadata           map[string]string // x-amz-meta-*: lower-case names, decoded values
	MissingMeta        int               // x-amz-missing-meta
	Checksum           Checksum          // the zero value if the server gave none
	SSE                string            // x-amz-server-side-encryption
	KMSKeyID           string            // KMS key that encrypts the object
	BucketKeyEnabled   bool
	CustomerKey        bool   // the object is encrypted with a customer's key (SSE-C)
	TagCount           int    // number of tags, if the client may read them
	Restore            string // x-amz-restore
	ArchiveStatus      string
	DeleteMarker       bool
}

// Checksum is an additional checksum of S3 in base64.
type Checksum struct {
	Algorithm ChecksumAlgorithm
	Value     string
}

// ChecksumAlgorithm is the name of an additional checksum of S3.
type ChecksumAlgorithm string

// This package computes these checksums.
const (
	CRC32C    ChecksumAlgorithm = "CRC32C"
	CRC64NVME ChecksumAlgorithm = "CRC64NVME"
	CRC32     ChecksumAlgorithm = "CRC32" // only for downloads, because other clients upload with it
)

// ObjectOptions are the properties of an object that Put, CreateUpload or Copy writes.
// The zero value leaves all of them to the server.
type ObjectOptions struct {
	ContentType        string
	ContentEncoding    string
	ContentDisposition string
	ContentLanguage    string
	CacheControl       string
	Expires            string
	ACL                string // canned ACL, such as "bucket-owner-full-control"
	StorageClass       string
	Metadata           map[string]string // user metadata; non-ASCII values are encoded as in RFC 2047
	Tags               map[string]string
	// KeepTags adds the tags of the object that is being replaced.
	KeepTags bool `json:",omitempty"`
	SSE      ServerSideEncryption
}

// ServerSideEncryption selects the encryption of an object at rest.
type ServerSideEncryption struct {
	Algorithm        string // "", "AES256", "aws:kms" or "aws:kms:dsse"
	KMSKeyID         string
	KMSContext       string // base64 JSON
	BucketKeyEnabled bool
	Customer         *CustomerKey // SSE-C; excludes Algorithm
}

// CustomerKey is a 256-bit key for SSE-C. Its String method does not reveal it.
type CustomerKey struct{ Key [32]byte }

// Conditions make a request conditional (RFC 9110, section 13). ETags include their
// quotes. "*" matches any version.
type Conditions struct {
	IfMatch           string
	IfNoneMatch       string
	IfModifiedSince   time.Time
	IfUnmodifiedSince time.Time
}

// GetInput contains the arguments of Get.
type GetInput struct {
	Bucket, Key string
	VersionID   string
	Range       Range
	Conditions
	SSE *CustomerKey
	// Unchecked disables the verification of the checksum, so that the caller can
	// verify it.
	Unchecked bool
}

// GetOutput is the result of a GET. The caller must close Body.
type GetOutput struct {
	ObjectInfo
	// Body yields exactly Length bytes or an error other than io.EOF. If the connection
	// breaks, Body continues at the same byte of the same ETag. If the checksum is
	// wrong, Body returns ErrChecksum instead of its last bytes.
	Body io.ReadCloser
	// Offset is the offset of the first byte of Body in the object. Length is the
	// number of bytes in Body.
	Offset, Length int64
}

// HeadInput contains the arguments of Head.
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

// PutInput contains the arguments of Put. Body must yield exactly Size bytes. If Body
// is an io.Seeker, a failed attempt can be repeated from its initial offset. Another
// Body can be sent only once.
type PutInput struct {
	Bucket, Key string
	Body        io.Reader
	Size        int64
	ObjectOptions
	IfMatch, IfNoneMatch string
	Expect100            bool // wait for "100 Continue" before the body (RFC 9110, section 10.1.1)
}

// PutOutput is the result of a write.
type PutOutput struct {
	ETag      string
	VersionID string
	Date      time.Time // Date header of the response, or zero
}

// DeleteInput contains the arguments of Delete.
type DeleteInput struct {
	Bucket, Key string
	VersionID   string
	IfMatch     string
}

// DeleteOutput is the result of a delete. Its fields are set only in versioned buckets.
type DeleteOutput struct {
	VersionID    string
	DeleteMarker bool
}

// DeleteMultiInput contains the arguments of DeleteMulti. Objects can have more than
// MaxListKeys elements.
type DeleteMultiInput struct {
	Bucket  string
	Objects []ObjectID
}

// ObjectID identifies an object or a version of it for DeleteMulti.
type ObjectID struct {
	Key, VersionID string
	ETag           string // if set, delete the object only if it has this ETag
}

// DeleteResult is the result for one key. Err is nil if the key is absent, even if it
// was absent before, and otherwise an *Error.
type DeleteResult struct {
	Key, VersionID        string
	DeleteMarker          bool
	DeleteMarkerVersionID string
	Err                   error
}

// LsInput contains the arguments of Ls.
type LsInput struct {
	Bucket            string
	Prefix            string
	Delimiter         string
	StartAfter        string
	ContinuationToken string // has precedence over StartAfter
	MaxKeys           int    // 0 means MaxListKeys
}

// LsPage is one page of a listing. Objects and CommonPrefixes are both in key order.
type LsPage struct {
	Objects        []ListedObject
	CommonPrefixes []string
	NextToken      string // "" on the last page
}

// ListedObject is an object in a listing.
type ListedObject struct {
	Key          string
	Size         int64
	ETag         string
	LastModified time.Time
	StorageClass string
}

// CopyInput contains the arguments of Copy. A source of at most MaxPartSize bytes is
// copied with one CopyObject, and a larger one by parts in parallel.
type CopyInput struct {
	SrcBucket, SrcKey, SrcVersionID string
	SrcIf                           Conditions // source conditions; Copy returns ErrPreconditionFailed if they do not hold
	SrcSize                         int64      // saves a HEAD for objects that may exceed MaxPartSize; 0 if unknown
	Bucket, Key                     string
	IfMatch, IfNoneMatch            string // target conditions; few servers enforce them
	// ReplaceMetadata replaces the metadata and content headers of the source with
	// those of ObjectOptions. Otherwise the target keeps them.
	ReplaceMetadata bool
	ObjectOptions
	SrcSSE *CustomerKey
}

// CopyOutput is the result of a copy.
type CopyOutput struct {
	ETag         string
	LastModified time.Time
	VersionID    string
}

// UploadID identifies a multipart upload. All of its fields must be stored to continue
// the upload after a restart.
type UploadID struct {
	Bucket, Key, ID string
	// Checksum is the algorithm that CreateUpload requested for each part, or "".
	Checksum ChecksumAlgorithm
}

// CreateUploadInput contains the arguments of CreateUpload.
type CreateUploadInput struct {
	Bucket, Key string
	ObjectOptions
	// NoCopies promises that the caller will not use CopyPart. Servers other than AWS
	// store wrong checksums for copied parts. Without this promise CreateUpload
	// requests no checksums from them, and some servers then compute their own.
	NoCopies bool
}

// UploadPartInput contains the arguments of UploadPart. Body has the requirements of
// PutInput.Body.
type UploadPartInput struct {
	Upload     UploadID
	PartNumber int // 1 to MaxPartNumber
	Body       io.Reader
	Size       int64
	SSE        *CustomerKey
}

// CopyPartInput contains the arguments of CopyPart.
type CopyPartInput struct {
	Upload                          UploadID
	PartNumber                      int
	SrcBucket, SrcKey, SrcVersionID string
	SrcIf                           Conditions // as in CopyInput
	First, Last                     int64      // range of the source in bytes, inclusive
	SSE, SrcSSE                     *CustomerKey
}

// Part is an uploaded part.
type Part struct {
	Number   int
	ETag     string
	Size     int64
	Checksum Checksum
}

// CompleteUploadInput contains the arguments of CompleteUpload. Parts must be in
// ascending order.
type CompleteUploadInput struct {
	Upload               UploadID
	Parts                []Part
	IfMatch, IfNoneMatch string
	SSE                  *CustomerKey
}
