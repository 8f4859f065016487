package s3

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestRequesterPays(t *testing.T) {
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Request-Payer") != "requester" {
			t.Error("header is missing")
		}
		return answer(204, ""), nil
	}, func(o *Options) { o.RequesterPays = true })
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	p, err := c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, time.Minute)
	noError(t, err)
	if !strings.Contains(p.URL, "x-amz-request-payer=requester") {
		t.Errorf("URL is %s", p.URL)
	}
}

func TestPresignExpiry(t *testing.T) {
	c := newTestClient(t, nil)
	for _, d := range []time.Duration{0, time.Millisecond, 8 * 24 * time.Hour} {
		_, err := c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, d)
		wantIs(t, err, ErrInvalidInput)
	}
	id := UploadID{Bucket: "bucket", Key: "k", ID: "u"}
	for method, p := range map[string]func() (*Presigned, error){
		"GET": func() (*Presigned, error) {
			return c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
		"HEAD": func() (*Presigned, error) {
			return c.PresignHead(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
		"PUT": func() (*Presigned, error) {
			return c.PresignUploadPart(t.Context(), &UploadPartInput{Upload: id, PartNumber: 1, Size: 99}, time.Hour)
		},
		"DELETE": func() (*Presigned, error) {
			return c.PresignDelete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"}, time.Hour)
		},
	} {
		got, err := p()
		noError(t, err)
		if got.Method != method || !strings.Contains(got.URL, "X-Amz-Expires=3600") || len(got.Header) != 0 {
			t.Errorf("got %+v", got)
		}
	}
}
