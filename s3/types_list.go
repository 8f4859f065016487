package s3

import "time"

// BucketInfo is the result of HeadBucket.
type BucketInfo struct {
	Region string // "" if the server does not name it
}

// LsEntry is an element of LsAll: an object, or a common prefix, which has only a Key.
type LsEntry struct {
	ListedObject
	IsPrefix bool
}

// ListUploadsInput contains the arguments of ListUploads.
type ListUploadsInput struct {
	Bucket, Prefix            string
	Delimiter                 string
	KeyMarker, UploadIDMarker string // NextKeyMarker and NextUploadIDMarker of the previous page
	MaxUploads                int    // 0 means MaxListKeys
}

// UploadsPage is one page of unfinished uploads in key order.
type UploadsPage struct {
	Uploads                           []ListedUpload
	CommonPrefixes                    []string
	NextKeyMarker, NextUploadIDMarker string
	Truncated                         bool // there are more pages
}

// ListedUpload is one unfinished upload.
type ListedUpload struct {
	UploadID
	Initiated    time.Time
	StorageClass string
}

// ListPartsInput contains the arguments of ListParts.
type ListPartsInput struct {
	Upload           UploadID
	PartNumberMarker int // list the parts after this number
	MaxParts         int // 0 means MaxListKeys
	SSE              *CustomerKey
}

// PartsPage is one page of the parts of an upload in ascending order.
type PartsPage struct {
	Parts      []Part
	NextMarker int
	Truncated  bool // there are more pages
}
