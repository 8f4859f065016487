package s3

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestClassify(t *testing.T) {
	all := []error{ErrNotFound, ErrNoSuchBucket, ErrForbidden, ErrPreconditionFailed, ErrNotModified, ErrInvalidRange,
		ErrConflict, ErrThrottled, ErrRedirect, ErrTransient, ErrExpiredCredentials, ErrNoCredentials, ErrClockSkew,
		ErrNotImplemented, ErrInvalidInput, ErrTooLarge, ErrChecksum, ErrDeadline}
	for _, tt := range []struct {
		status int
		code   string
		kinds  []error
		retry  bool
	}{
		{404, "NoSuchKey", []error{ErrNotFound}, false},
		{404, "", []error{ErrNotFound}, false},
		{404, "NoSuchBucket", []error{ErrNotFound, ErrNoSuchBucket}, false},
		{404, "NoSuchUpload", []error{ErrNotFound}, false},
		{404, "XAdminUserNotFound", []error{ErrForbidden}, false},
		{404, "InvalidAccessKeyId", []error{ErrForbidden}, false},
		{404, "NoSuchUser", []error{ErrForbidden}, false},
		{404, "RouteNotFound", nil, false},
		{403, "AccessDenied", []error{ErrForbidden}, false},
		{401, "", []error{ErrForbidden}, false},
		{403, "SignatureDoesNotMatch", []error{ErrForbidden}, false},
		{403, "RequestTimeTooSkewed", []error{ErrForbidden, ErrClockSkew}, false},
		{400, "ExpiredToken", []error{ErrForbidden, ErrExpiredCredentials}, false},
		{412, "PreconditionFailed", []error{ErrPreconditionFailed}, false},
		{412, "", []error{ErrPreconditionFailed}, false},
		{304, "", []error{ErrNotModified}, false},
		{416, "InvalidRange", []error{ErrInvalidRange}, false},
		{409, "ConditionalRequestConflict", []error{ErrConflict}, true},
		{409, "BucketNotEmpty", []error{ErrConflict}, false},
		{503, "SlowDown", []error{ErrThrottled, ErrTransient}, true},
		{429, "", []error{ErrThrottled, ErrTransient}, true},
		{403, "RequestLimitExceeded", []error{ErrThrottled, ErrTransient}, true},
		{403, "ThrottlingException", []error{ErrThrottled, ErrTransient}, true},
		{400, "RequestTimeout", []error{ErrTransient}, true},
		{500, "InternalError", []error{ErrTransient}, true},
		{502, "", []error{ErrTransient}, true},
		{503, "", []error{ErrTransient}, true},
		{504, "", []error{ErrTransient}, true},
		{408, "", []error{ErrTransient}, true},
		{501, "NotImplemented", []error{ErrNotImplemented}, false},
		{501, "", []error{ErrNotImplemented}, false},
		{400, "EntityTooLarge", []error{ErrTooLarge}, false},
		{413, "", []error{ErrTooLarge}, false},
		{400, "BadDigest", []error{ErrChecksum}, true},
		{301, "PermanentRedirect", []error{ErrRedirect}, false},
		{307, "", []error{ErrRedirect}, false},
		{400, "AuthorizationHeaderMalformed", []error{ErrRedirect}, false},
		{400, "InvalidArgument", nil, false},
		{418, "", nil, false},
	} {
		e := &Error{Status: tt.status, Code: tt.code}
		e.classify()
		if e.retry != tt.retry {
			t.Errorf("%d %s: retry is %v", tt.status, tt.code, e.retry)
		}
		for _, kind := range all {
			want := false
			for _, k := range tt.kinds {
				want = want || k == kind
			}
			if errors.Is(e, kind) != want {
				t.Errorf("%d %s: errors.Is(%v) is %v", tt.status, tt.code, kind, !want)
			}
		}
	}
}

func TestThrottlingAnsweredAs403(t *testing.T) {
	e := &Error{Status: 403, RetryAfter: time.Second}
	e.classify()
	wantIs(t, e, ErrThrottled)
}

// The 404 of a proxy does not mean that the object is absent.
func TestNotFoundByAProxy(t *testing.T) {
	n := 0
	c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
		n++
		return answer(404, "<html><body>no backend</body></html>"), nil
	}, func(o *Options) { o.MaxAttempts = 2 })
	c.backoff = func(int) time.Duration { return 0 }
	_, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
	if wantIs(t, err, ErrTransient); errors.Is(err, ErrNotFound) || n != 2 {
		t.Errorf("%v after %d attempts", err, n)
	}
}

func TestErrorText(t *testing.T) {
	e := &Error{Op: "GetObject", Bucket: "b", Key: "k\n", Status: 503, Code: "SlowDown", Message: "Slow down.", RequestID: "r",
		kind: ErrThrottled, gaveUp: true}
	want := `GetObject b "k\n": throttled (status 503, SlowDown, Slow down., request r); deadline for retries passed`
	if got := e.Error(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	wantIs(t, e, ErrDeadline, ErrThrottled)
}

func TestErrorReachesTheNetworkError(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	l.Close()
	o := testOptions("http://" + l.Addr().String())
	o.MaxAttempts = 2
	c, err := New(o)
	noError(t, err)
	c.backoff = func(int) time.Duration { return 0 }
	_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
	wantIs(t, err, ErrTransient, ErrDeadline, syscall.ECONNREFUSED)
	var op *net.OpError
	if !errors.As(err, &op) {
		t.Errorf("%v hides the network error", err)
	}
}

func TestParseError(t *testing.T) {
	for _, tt := range []struct{ name, body, code, message, region, endpoint string }{
		{"full", `<?xml version="1.0"?><Error><Code>PermanentRedirect</Code><Message>m &lt;1&gt;</Message><Endpoint>b.s3.eu-west-1.amazonaws.com</Endpoint><Region>eu-west-1</Region></Error>`,
			"PermanentRedirect", "m <1>", "eu-west-1", "b.s3.eu-west-1.amazonaws.com"},
		{"namespace", `<Error xmlns="x"><Code> A </Code></Error>`, "A", "", "", ""},
		{"wrapped", `<ErrorResponse><Error><Code>A</Code></Error></ErrorResponse>`, "A", "", "", ""},
		{"empty", "", "", "", "", ""},
		{"html", "<html><head><title>502</title></head></html>", "", `answer is not S3's: "<html><head><title>502</title></head></html>"`, "", ""},
		{"html, not well-formed", "<html><body>\n<br><p>x", "", `answer is not S3's: "<html><body>"`, "", ""},
		{"text", "upstream connect error", "", `answer is not S3's: "upstream connect error"`, "", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := newFakeClient(t, func(*http.Request) (*http.Response, error) { return answer(400, tt.body), nil })
			_, err := attemptOnce(t.Context(), c, &call{op: "X", method: "GET", bucket: "bucket"})
			e := wantIs(t, err)
			if e.Code != tt.code || e.Message != tt.message || e.Region != tt.region || e.Endpoint != tt.endpoint || e.Status != 400 {
				t.Errorf("got %+v", e)
			}
		})
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, "-3": 0, "x": 0,
		now.Add(time.Minute).Format(http.TimeFormat):  time.Minute,
		now.Add(-time.Minute).Format(http.TimeFormat): 0,
	} {
		if got := retryAfter(v, now); got != want {
			t.Errorf("%q: got %v, want %v", v, got, want)
		}
	}
}

func FuzzError(f *testing.F) {
	f.Add([]byte(errorBody("NoSuchKey")), 404)
	f.Add([]byte("<html>"), 502)
	f.Add([]byte(""), 301)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		e := &Error{Status: status}
		parseError(body, e)
		e.classify()
		if len(e.Code) > maxMessage+3 || len(e.Message) > maxMessage+3 {
			t.Error("message is not bounded")
		}
		if e.Error() == "" || errors.Is(e, ErrNoSuchBucket) && !errors.Is(e, ErrNotFound) {
			t.Errorf("error %v", e)
		}
	})
}

func TestSecretsStayOutOfErrors(t *testing.T) {
	c := newTestClient(t, func(w http.ResponseWriter, r *http.Request) { writeError(w, 403, "SignatureDoesNotMatch") })
	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error {
			_, err := c.Put(ctx, &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("x"), Size: 1})
			return err
		},
		func(ctx context.Context) error {
			_, err := c.Get(ctx, &GetInput{Bucket: "bucket", Key: "k", SSE: &CustomerKey{}})
			return err
		},
	} {
		err := call(t.Context())
		for _, secret := range []string{"wJalr", "AKIDEXAMPLE", "Signature=", "AAAAAAAAAAAAAAA"} {
			if strings.Contains(err.Error(), secret) {
				t.Errorf("error holds a secret: %v", err)
			}
		}
	}
}
