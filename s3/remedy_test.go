package s3

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// onAWS makes a client that believes to speak to AWS.
func onAWS(o *Options) { o.Endpoint = "" }

func redirectBody(code, region, endpoint string) string {
	return "<Error><Code>" + code + "</Code><Region>" + region + "</Region><Endpoint>" + endpoint + "</Endpoint></Error>"
}

func TestRegionRedirects(t *testing.T) {
	for _, tt := range []struct {
		name   string
		refuse *http.Response
	}{
		{"301 with region", answer(301, redirectBody("PermanentRedirect", "eu-west-1", ""))},
		{"301 with endpoint", answer(301, redirectBody("PermanentRedirect", "", "bucket.s3.eu-west-1.amazonaws.com"))},
		{"301 with header", answer(301, "", "X-Amz-Bucket-Region", "eu-west-1")},
		{"400 wrong region", answer(400, redirectBody("AuthorizationHeaderMalformed", "eu-west-1", ""))},
		{"307 location", answer(307, "", "Location", "https://bucket.s3.eu-west-1.amazonaws.com/k")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var hosts []string
			c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
				hosts = append(hosts, r.Host)
				if !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/") || !strings.Contains(r.Host, "eu-west-1") {
					resp := *tt.refuse
					return &resp, nil
				}
				return answer(204, ""), nil
			}, onAWS)
			for range 2 {
				_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
				noError(t, err)
			}
			if len(hosts) != 3 { // the region is remembered
				t.Errorf("asked %q", hosts)
			}
		})
	}
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*Options)
		refuse *http.Response
		want   string // Endpoint of the error
	}{
		{"to another provider", onAWS, answer(307, redirectBody("TemporaryRedirect", "", "bucket.evil.com")), "bucket.evil.com"},
		{"by suffix", onAWS, answer(307, redirectBody("TemporaryRedirect", "", "bucket.evilamazonaws.com")), "bucket.evilamazonaws.com"},
		{"to a machine at AWS", onAWS, answer(307, redirectBody("TemporaryRedirect", "", "bucket.us-east-1.elb.amazonaws.com")), "bucket.us-east-1.elb.amazonaws.com"},
		{"to another bucket's host", onAWS, answer(307, redirectBody("TemporaryRedirect", "", "other.s3.amazonaws.com")), "other.s3.amazonaws.com"},
		{"to another partition", onAWS, answer(301, redirectBody("PermanentRedirect", "cn-north-1", "bucket.s3.cn-north-1.amazonaws.com.cn")), "bucket.s3.cn-north-1.amazonaws.com.cn"},
		{"region that is none", onAWS, answer(301, redirectBody("PermanentRedirect", "evil.com/", "")), ""},
		{"from a custom server", func(*Options) {}, answer(307, redirectBody("TemporaryRedirect", "", "other.test")), "other.test"},
		{"from a custom server to AWS", func(*Options) {}, answer(307, "", "Location", "https://bucket.s3.amazonaws.com/k"), "bucket.s3.amazonaws.com"},
		{"loop", onAWS, answer(301, redirectBody("PermanentRedirect", "us-east-1", "")), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
				n++
				if !strings.HasSuffix(r.URL.Host, ".s3.us-east-1.amazonaws.com") && r.URL.Host != "s3.test" {
					t.Errorf("a signature went to %s", r.URL.Host)
				}
				resp := *tt.refuse
				return &resp, nil
			}, tt.change)
			_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
			if e := wantIs(t, err, ErrRedirect); e.Endpoint != tt.want || n > 1 {
				t.Errorf("endpoint %q after %d requests", e.Endpoint, n)
			}
		})
	}
}

func TestRedirectLoopEnds(t *testing.T) {
	n := 0
	regions := []string{"eu-west-1", "us-west-2"}
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		n++
		return answer(301, redirectBody("PermanentRedirect", regions[n%2], "")), nil
	}, onAWS)
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	wantIs(t, err, ErrRedirect)
	if n != maxRedirects+1 {
		t.Errorf("%d requests", n)
	}
}

func TestTemporaryRedirectWithinAWS(t *testing.T) {
	var hosts []string
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if hosts = append(hosts, r.Host); len(hosts) == 1 {
			return answer(307, redirectBody("TemporaryRedirect", "", "bucket.s3.amazonaws.com")), nil
		}
		return answer(204, ""), nil
	}, onAWS)
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if len(hosts) != 2 || hosts[1] != "bucket.s3.amazonaws.com" {
		t.Errorf("asked %q", hosts)
	}
}

func TestServerThatWantsVirtualHost(t *testing.T) {
	var hosts []string
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if hosts = append(hosts, r.Host+r.URL.Path); r.Host == "s3.test" {
			return answer(301, redirectBody("PermanentRedirect", "", "bucket.s3.test")), nil
		}
		return answer(204, ""), nil
	})
	for range 2 {
		_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
		noError(t, err)
	}
	if strings.Join(hosts, " ") != "s3.test/bucket/k bucket.s3.test/k bucket.s3.test/k" {
		t.Errorf("asked %q", hosts)
	}
}

// The response to a HEAD has no body. The client asks for the cause with a request
// whose response has one.
func TestHeadInTheWrongRegion(t *testing.T) {
	n := 0
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		n++
		switch {
		case strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/"):
			return answer(200, "", "X-Amz-Bucket-Region", "eu-west-1"), nil
		case r.Method == http.MethodHead:
			return answer(400, ""), nil
		}
		return answer(400, redirectBody("AuthorizationHeaderMalformed", "eu-west-1", "")), nil
	})
	info, err := c.HeadBucket(t.Context(), "bucket")
	noError(t, err)
	if info.Region != "eu-west-1" || n != 3 {
		t.Errorf("region %q after %d requests", info.Region, n)
	}
}

func TestHeadBucketTellsWhyItIsForbidden(t *testing.T) {
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if r.Method == http.MethodHead {
			return answer(403, ""), nil
		}
		return answer(403, errorBody("SignatureDoesNotMatch")), nil
	})
	_, err := c.HeadBucket(t.Context(), "bucket")
	if e := wantIs(t, err, ErrForbidden); e.Code != "SignatureDoesNotMatch" {
		t.Errorf("got %v", e)
	}
}

func TestClockSkewIsCorrectedOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		method func(context.Context, *Client) error
		body   string
	}{
		{"GET", func(ctx context.Context, c *Client) error { return second(c.Ls(ctx, &LsInput{Bucket: "bucket"})) }, errorBody("RequestTimeTooSkewed")},
		{"HEAD", func(ctx context.Context, c *Client) error {
			return second(c.Head(ctx, &HeadInput{Bucket: "bucket", Key: "k"}))
		}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				server := time.Now().Add(-3 * time.Hour)
				c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
					n++
					stamp, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
					noError(t, err)
					if stamp.Sub(server).Abs() > time.Minute {
						return answer(403, tt.body, "Date", server.UTC().Format(http.TimeFormat)), nil
					}
					return answer(200, "<ListBucketResult/>"), nil
				})
				noError(t, tt.method(t.Context(), c))
				noError(t, tt.method(t.Context(), c))
				if n != 3 { // the correction is kept
					t.Errorf("%d requests", n)
				}
			})
		})
	}
	n := 0
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		n++
		return answer(403, errorBody("RequestTimeTooSkewed"), "Date", time.Now().Add(time.Duration(n)*time.Hour).UTC().Format(http.TimeFormat)), nil
	})
	_, err := c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
	wantIs(t, err, ErrClockSkew)
	if n != 2 {
		t.Errorf("%d requests of a server whose clock runs", n)
	}
}

// TestClockSkewBeyondReason checks that no request is signed for a time that only
// a server without a clock, or with bad intentions, can claim.
func TestClockSkewBeyondReason(t *testing.T) {
	for _, off := range []time.Duration{maxCorrection + time.Hour, -maxCorrection - time.Hour, 10 * 365 * 24 * time.Hour} {
		n := 0
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			n++
			stamp, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
			noError(t, err)
			if time.Since(stamp).Abs() > time.Minute {
				t.Errorf("a request is signed for %v", stamp)
			}
			return answer(403, errorBody("RequestTimeTooSkewed"), "Date", time.Now().Add(off).UTC().Format(http.TimeFormat)), nil
		})
		_, err := c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
		wantIs(t, err, ErrClockSkew)
		if n != 1 {
			t.Errorf("%d requests to a server that is off by %v", n, off)
		}
	}
}

// rotating hands out new keys each time it is asked.
type rotating struct{ n int }

func (r *rotating) Retrieve(context.Context) (aws.Credentials, error) {
	r.n++
	return aws.Credentials{AccessKeyID: "AKID" + itoa(int64(r.n)), SecretAccessKey: "s"}, nil
}

func TestExpiredCredentialsAreFetchedAnewOnce(t *testing.T) {
	n := 0
	serve := func(r *http.Request) (*http.Response, error) {
		if n++; strings.Contains(r.Header.Get("Authorization"), "AKID1/") {
			return answer(400, errorBody("ExpiredToken")), nil
		}
		return answer(204, ""), nil
	}
	c := newFakeClient(t, serve, func(o *Options) { o.Credentials = &rotating{} })
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if n != 2 {
		t.Errorf("%d requests", n)
	}
	n = 0
	c = newFakeClient(t, func(*http.Request) (*http.Response, error) {
		n++
		return answer(400, errorBody("ExpiredToken")), nil
	})
	_, err = c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	wantIs(t, err, ErrExpiredCredentials)
	if n != 2 {
		t.Errorf("%d requests", n)
	}
}

// failingProvider has no credentials.
type failingProvider struct{}

func (failingProvider) Retrieve(context.Context) (aws.Credentials, error) {
	return aws.Credentials{}, errNobodyHome
}

var errNobodyHome = errors.New("no role")

func TestNoCredentials(t *testing.T) {
	c := newTestClient(t, nil, func(o *Options) { o.Credentials = failingProvider{} })
	_, err := c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
	wantIs(t, err, ErrNoCredentials, errNobodyHome)
	c = newTestClient(t, nil, func(o *Options) { o.Credentials = nil })
	_, err = c.PresignGet(t.Context(), &GetInput{Bucket: "bucket", Key: "k"}, time.Hour)
	wantIs(t, err, ErrNoCredentials)
}

func TestUnsignedRequests(t *testing.T) {
	for _, creds := range []aws.CredentialsProvider{nil, aws.AnonymousCredentials{}} {
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			for name := range r.Header {
				if name == "Authorization" || strings.HasPrefix(name, "X-Amz-Security") || name == "X-Amz-Date" {
					t.Errorf("request has %s", name)
				}
			}
			return answer(200, "<ListBucketResult/>"), nil
		}, func(o *Options) { o.Credentials = creds })
		_, err := c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
		noError(t, err)
	}
}

func TestSessionToken(t *testing.T) {
	c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("X-Amz-Security-Token") != "tok" || !strings.Contains(r.Header.Get("Authorization"), "x-amz-security-token") {
			t.Errorf("token is not sent signed: %v", r.Header)
		}
		return answer(204, ""), nil
	}, func(o *Options) { o.Credentials = StaticCredentials("id", "secret", "tok") })
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
}
