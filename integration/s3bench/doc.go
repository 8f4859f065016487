// Package s3bench measures package s3 beside aws-sdk-go-v2/service/s3 and
// minio-go: the same work on the same versitygw in the same run.
package s3bench
