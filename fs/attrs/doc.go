// Package attrs stores the attributes that S3 objects do not have of themselves: mode,
// owner, times and extended attributes.
//
// They are user metadata of the object. Metadata writes them in the form of s3fs, and
// FromMetadata reads the forms of s3fs, rclone and AWS's file services. EncodeXattrs and
// DecodeXattrs do the same for extended attributes.
package attrs
