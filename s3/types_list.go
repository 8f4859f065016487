package s3

import "time"

// BucketInfo is what HEAD of a bucket tells.
type BucketInfo struct {
	Region string // "" if the server does not tell
}

// LsEntry is one row of LsAll: an object, or a common prefix, of which only Key is set.
type LsEntry struct {
	ListedObject
	IsPrefix bool
}

// ListUploadsInput asks for one page of the unfinished multipart uploads.
type ListUploadsInput struct {
	Bucket, Prefix            string
	Delimiter                 string
	KeyMarker, UploadIDMarker string // as NextKeyMarker and NextUploadIDMarker of the page before
	MaxUploads                int    // 0 is MaxListKeys
}

// UploadsPage is one page of unfinished uploads, in key order.
type UploadsPage struct {
	Uploads                           []ListedUpload
	CommonPrefixes                    []string
	NextKeyMarker, NextUploadIDMarker string
	Truncated                         bool // there are more
}

// ListedUpload is one unfinished upload.
type ListedUpload struct {
	UploadID
	Initiated    time.Time
	StorageClass string
}

// ListPartsInput asks for one page of the parts of an upload.
type ListPartsInput struct {
	Upload           UploadID
	PartNumberMarker int // parts after this number
	MaxParts         int // 0 is MaxListKeys
	SSE              *CustomerKey
}

// PartsPage is one page of parts, in ascending order.
type PartsPage struct {
	Parts      []Part
	NextMarker int
	Truncated  bool // there are more
}
