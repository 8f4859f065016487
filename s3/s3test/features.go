package s3test

// Feature names something that S3 does and that not every server does. Run
// skips, and says why, what needs a feature that Without takes away.
type Feature string

// The features.
const (
	// NestedKeys: an object a can be beside a/b.
	NestedKeys Feature = "objects beside keys that they are a prefix of"
	// RawKeys: empty segments, "." and ".." in keys are kept as they are.
	RawKeys Feature = "keys with empty, . and .. segments"
	// ControlKeys: keys may hold characters that XML cannot.
	ControlKeys Feature = "keys with control characters"
	// LongSegments: a segment of a key may be longer than 255 bytes.
	LongSegments Feature = "key segments over 255 bytes"
	// MarkerBodies: an object under a key that ends in "/" may have bytes.
	MarkerBodies Feature = "bytes under keys that end in a slash"
	// ConditionalGet: If-Match on GET and HEAD.
	ConditionalGet Feature = "If-Match on GET and HEAD"
	// ConditionalPut: If-Match and If-None-Match on PUT.
	ConditionalPut Feature = "conditional PUT"
	// ConditionalComplete: the same on CompleteMultipartUpload.
	ConditionalComplete Feature = "conditional CompleteMultipartUpload"
	// ConditionalDelete: If-Match on DELETE.
	ConditionalDelete Feature = "conditional DELETE"
	// ConditionalDeleteMulti: an ETag per key in DeleteObjects.
	ConditionalDeleteMulti Feature = "conditional DeleteObjects"
	// ConditionalCopySource: x-amz-copy-source-if-match.
	ConditionalCopySource Feature = "conditions on the source of a copy"
	// ConditionalCopyTarget: If-Match and If-None-Match on CopyObject.
	ConditionalCopyTarget Feature = "conditions on the target of a copy"
	// MultipartETag: the ETag of a multipart object ends in -N.
	MultipartETag Feature = "-N in the ETag of multipart objects"
	// PartOrder: CompleteMultipartUpload refuses what does not fit the parts.
	PartOrder Feature = "checks of the parts in CompleteMultipartUpload"
	// PartCopy: UploadPartCopy.
	PartCopy Feature = "part copies"
	// ListParts: the parts of an upload are listed, in pages.
	ListParts Feature = "lists of parts"
	// UploadPages: unfinished uploads are listed in pages.
	UploadPages Feature = "lists of uploads in pages"
	// UploadLists: the unfinished uploads below a prefix are listed.
	UploadLists Feature = "lists of uploads below a prefix"
	// UnusedParts: CompleteMultipartUpload may leave out parts that were uploaded.
	UnusedParts Feature = "uploads with parts that are left out"
	// AbortedUploads: CompleteMultipartUpload of an aborted upload is refused as not found.
	AbortedUploads Feature = "aborted uploads that are not found"
	// PartCopyKeys: UploadPartCopy takes a source under every key.
	PartCopyKeys Feature = "part copies of keys with + and %"
	// SmallPages: a page of a listing may have one row.
	SmallPages Feature = "pages of one row"
	// Tags: the tags of a PUT may have any characters.
	Tags Feature = "tags with any characters"
	// ContentHeaders: all content headers are kept.
	ContentHeaders Feature = "all content headers"
	// StorageClasses: the storage class is kept.
	StorageClasses Feature = "storage classes"
	// Checksums: additional checksums are checked and given back.
	Checksums Feature = "additional checksums"
	// ContentMD5: Content-MD5 is checked.
	ContentMD5 Feature = "Content-MD5"
	// CustomerKeys: SSE-C.
	CustomerKeys Feature = "SSE-C"
	// Encryption: SSE-S3 is accepted and told.
	Encryption Feature = "SSE-S3"
	// Versioning: the buckets of the test are versioned.
	Versioning Feature = "versioning"
	// VersionIDs: a version id is told only where there are versions.
	VersionIDs Feature = "version ids that mean something"
	// Authentication: signatures are checked.
	Authentication Feature = "authentication"
	// BucketRegion means that HEAD of a bucket returns its region.
	BucketRegion Feature = "the region of a bucket"
	// ErrorCodes means that errors distinguish an absent bucket, upload or part from an
	// absent key.
	ErrorCodes Feature = "exact error codes"
	// OpenRanges means that a range past the end is refused with 416, and that a suffix
	// longer than the object returns all of it.
	OpenRanges Feature = "ranges past the end"
	// Delimiters: with a delimiter, every common prefix comes once, over all pages, also for a marker.
	Delimiters Feature = "exact common prefixes"
	// FreshMetadata: nothing of an object's properties outlives its replacement.
	FreshMetadata Feature = "metadata that ends with its object"
	// OwnMemory: the server does not keep bodies in the memory of the test.
	OwnMemory Feature = "memory of its own"
)
