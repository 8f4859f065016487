package s3

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
)

// copyServer copies by parts, and refuses to copy as a whole.
func copyServer(t *testing.T, size int64, ranges *sync.Map, aborted *atomic.Bool, failPart string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		switch {
		case r.Method == http.MethodHead:
			w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
			w.Header().Set("ETag", `"src"`)
			w.Header().Set("Content-Type", "text/x")
			w.Header().Set("X-Amz-Meta-Mode", "1")
		case q.Has("tagging"):
			io.WriteString(w, "<Tagging><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tagging>")
		case q.Has("uploads"):
			if r.Header.Get("Content-Type") != "text/x" || r.Header.Get("X-Amz-Meta-Mode") != "1" || r.Header.Get("X-Amz-Tagging") != "a=1" {
				t.Errorf("properties are lost: %v", r.Header)
			}
			io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodDelete:
			aborted.Store(true)
		case q.Has("partNumber"):
			if q.Get("partNumber") == failPart {
				writeError(w, 412, "PreconditionFailed")
				return
			}
			if r.Header.Get("X-Amz-Copy-Source") != "/bucket/a%20b?versionId=v%2B1" || r.Header.Get("X-Amz-Copy-Source-If-Match") != `"src"` {
				t.Errorf("part copy has %v", r.Header)
			}
			ranges.Store(q.Get("partNumber"), r.Header.Get("X-Amz-Copy-Source-Range"))
			io.WriteString(w, "<CopyPartResult><ETag>&quot;p&quot;</ETag></CopyPartResult>")
		case r.Method == http.MethodPost:
			io.WriteString(w, "<CompleteMultipartUploadResult><ETag>&quot;done&quot;</ETag></CompleteMultipartUploadResult>")
		default:
			writeError(w, 400, "InvalidRequest") // "larger than the maximum allowable size"
		}
	}
}

func TestCopyOver5GiB(t *testing.T) {
	const size = 5<<30 + 10
	for _, known := range []int64{size, 0} {
		var ranges sync.Map
		var aborted atomic.Bool
		c := newTestClient(t, copyServer(t, size, &ranges, &aborted, ""))
		in := &CopyInput{SrcBucket: "bucket", SrcKey: "a b", SrcVersionID: "v+1", SrcSize: known, Bucket: "bucket", Key: "k"}
		out, err := c.Copy(t.Context(), in)
		noError(t, err)
		if out.ETag != `"done"` || aborted.Load() {
			t.Errorf("got %+v", out)
		}
		covered := int64(0)
		for i := 1; ; i++ {
			v, ok := ranges.Load(strconv.Itoa(i))
			if !ok {
				break
			}
			var first, last int64
			fmt.Sscanf(v.(string), "bytes=%d-%d", &first, &last)
			if first != covered {
				t.Errorf("part %d starts at %d, not %d", i, first, covered)
			}
			covered = last + 1
		}
		if covered != size {
			t.Errorf("%d bytes were copied", covered)
		}
	}
}

// S3 refuses a copy onto itself that changes nothing with the same code as a copy of a
// large object. The client must return the refusal of a small copy unchanged.
func TestRefusedSmallCopy(t *testing.T) {
	var ranges sync.Map
	var aborted atomic.Bool
	c := newTestClient(t, copyServer(t, 100, &ranges, &aborted, ""))
	_, err := c.Copy(t.Context(), &CopyInput{SrcBucket: "bucket", SrcKey: "k", Bucket: "bucket", Key: "k"})
	if e := wantIs(t, err); e.Code != "InvalidRequest" {
		t.Errorf("got %v", e)
	}
}

func TestFailedCopyIsAborted(t *testing.T) {
	var ranges sync.Map
	var aborted atomic.Bool
	c := newTestClient(t, copyServer(t, 6<<30, &ranges, &aborted, "3"))
	in := &CopyInput{SrcBucket: "bucket", SrcKey: "a b", SrcVersionID: "v+1", SrcSize: 6 << 30, Bucket: "bucket", Key: "k"}
	_, err := c.Copy(t.Context(), in)
	wantIs(t, err, ErrPreconditionFailed)
	if !aborted.Load() {
		t.Error("the upload was left behind")
	}
}

func TestPartSizeFor(t *testing.T) {
	for _, size := range []int64{1, 5 << 30, 5 << 40, 48 << 40} {
		part := partSizeFor(size, copyPartSize)
		if n := (size + part - 1) / part; n > MaxPartNumber || part > MaxPartSize && size <= 48<<40 {
			t.Errorf("%d bytes: %d parts of %d", size, n, part)
		}
	}
}

// TestRefusalOfCopies checks which answers mean that a server cannot copy at all.
func TestRefusalOfCopies(t *testing.T) {
	for _, x := range []struct {
		status        int
		code, message string
		want          bool
	}{
		{501, "NotImplemented", "", true},
		{405, "MethodNotAllowed", "", true},
		{411, "MissingContentLength", "", true},
		{400, "InvalidArgument", "x-amz-copy-source header is not supported", true},
		{400, "InvalidArgument", "Unsupported header: X-Amz-Copy-Source", true},
		{400, "InvalidRequest", "CopyObject is not implemented", true},
		// These are answers of S3.
		{400, "InvalidArgument", "Copy Source must mention the source bucket and key: sourcebucket/sourcekey", false},
		{400, "InvalidRequest", "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120", false},
		{400, "InvalidRequest", "This copy request is illegal because it is trying to copy an object to itself without changing the object's metadata", false},
		{400, "InvalidRequest", "The encryption method specified is not supported", false},
		{400, "InvalidStorageClass", "The storage class of the copy is not supported", false},
		{404, "NoSuchKey", "The copy source is not supported", false},
	} {
		e := &Error{Status: x.status, Code: x.code, Message: x.message}
		e.classify()
		if got := notImplemented(e); got != x.want {
			t.Errorf("%d %s %q: %t, want %t", x.status, x.code, x.message, got, x.want)
		}
	}
}
