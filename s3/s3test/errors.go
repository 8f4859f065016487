package s3test

import (
	"fmt"
	"net/http"
	"strconv"
)

// apiError is an S3 error answer
// (https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html).
type apiError struct {
	status  int
	code    string
	message string
	// extra elements of the XML body, as name and text in turn
	extra []string
	// header is added to the answer
	header map[string]string
}

func (e *apiError) Error() string { return fmt.Sprintf("%d %s: %s", e.status, e.code, e.message) }

// with adds an element to the body.
func (e *apiError) with(name, text string) *apiError {
	e.extra = append(e.extra, name, text)
	return e
}

// withHeader adds a header to the answer.
func (e *apiError) withHeader(name, value string) *apiError {
	if e.header == nil {
		e.header = map[string]string{}
	}
	e.header[name] = value
	return e
}

func fail(status int, code, message string) *apiError {
	return &apiError{status: status, code: code, message: message}
}

func badRequest(code, format string, args ...any) *apiError {
	return fail(http.StatusBadRequest, code, fmt.Sprintf(format, args...))
}

func errNoSuchBucket(bucket string) *apiError {
	return fail(http.StatusNotFound, "NoSuchBucket", "The specified bucket does not exist").with("BucketName", bucket)
}

func errNoSuchKey(key string) *apiError {
	return fail(http.StatusNotFound, "NoSuchKey", "The specified key does not exist.").with("Key", key)
}

func errNoSuchVersion(key, version string) *apiError {
	return fail(http.StatusNotFound, "NoSuchVersion", "The specified version does not exist.").
		with("Key", key).with("VersionId", version)
}

func errNoSuchUpload(id string) *apiError {
	return fail(http.StatusNotFound, "NoSuchUpload", "The specified multipart upload does not exist. The upload ID "+
		"may be invalid, or the upload may have been aborted or completed.").with("UploadId", id)
}

func errPrecondition(condition string) *apiError {
	return fail(http.StatusPreconditionFailed, "PreconditionFailed",
		"At least one of the pre-conditions you specified did not hold").with("Condition", condition)
}

// errNotModified has no body; the ETag travels with it.
func errNotModified(o *object, quoted string) *apiError {
	return fail(http.StatusNotModified, "NotModified", "Not Modified").
		withHeader("ETag", quoted).withHeader("Last-Modified", httpTime(o.modified))
}

func errInvalidRange(asked string, size int64) *apiError {
	return fail(http.StatusRequestedRangeNotSatisfiable, "InvalidRange", "The requested range is not satisfiable").
		with("RangeRequested", asked).with("ActualObjectSize", strconv.FormatInt(size, 10))
}

func errNotImplemented(what string) *apiError {
	return fail(http.StatusNotImplemented, "NotImplemented",
		"A header you provided implies functionality that is not implemented").with("Header", what)
}

func errAccessDenied() *apiError {
	return fail(http.StatusForbidden, "AccessDenied", "Access Denied")
}

func errMethodNotAllowed(method string) *apiError {
	return fail(http.StatusMethodNotAllowed, "MethodNotAllowed",
		"The specified method is not allowed against this resource.").with("Method", method)
}

func errMalformedXML() *apiError {
	return badRequest("MalformedXML",
		"The XML you provided was not well-formed or did not validate against our published schema")
}
