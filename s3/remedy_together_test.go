package s3

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Two calls are refused for the same reason. The first one applies the remedy for both,
// and the other must retry with it.
func TestCallsThatAreRefusedTogether(t *testing.T) {
	server := time.Date(1999, 12, 31, 21, 0, 0, 0, time.UTC) // three hours before a bubble's clock begins
	for name, tt := range map[string]struct {
		change func(*Options)
		wrong  func(*http.Request) bool
		refuse func() *http.Response
	}{
		"region": {onAWS,
			func(r *http.Request) bool { return !strings.Contains(r.Header.Get("Authorization"), "/eu-west-1/") },
			func() *http.Response { return answer(301, redirectBody("PermanentRedirect", "eu-west-1", "")) }},
		"virtual host": {func(*Options) {},
			func(r *http.Request) bool { return r.Host == "s3.test" },
			func() *http.Response { return answer(301, redirectBody("PermanentRedirect", "", "bucket.s3.test")) }},
		"clock": {func(*Options) {},
			func(r *http.Request) bool {
				stamp, err := time.Parse(amzTime, r.Header.Get("X-Amz-Date"))
				return err != nil || stamp.Sub(server).Abs() > time.Minute
			},
			func() *http.Response {
				return answer(403, errorBody("RequestTimeTooSkewed"), "Date", server.UTC().Format(http.TimeFormat))
			}},
		"credentials": {func(o *Options) { o.Credentials = &rotating{} },
			func(r *http.Request) bool { return strings.Contains(r.Header.Get("Authorization"), "AKID1/") },
			func() *http.Response { return answer(400, errorBody("ExpiredToken")) }},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var c *Client
				requests := 0
				remove := func() error {
					_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
					return err
				}
				c = newFakeClient(t, func(r *http.Request) (*http.Response, error) {
					requests++
					first := requests == 1
					if !tt.wrong(r) {
						return answer(204, ""), nil
					}
					if first { // meanwhile another call is refused, mends it, and succeeds
						noError(t, remove())
					}
					return tt.refuse(), nil
				}, tt.change)
				noError(t, remove())
				if requests != 4 {
					t.Errorf("%d requests, want two of each call", requests)
				}
			})
		})
	}
}

// Calls that were refused with the old credentials use the renewed ones and do not
// renew them again.
func TestCredentialsRefusedTogetherAreFetchedOnce(t *testing.T) {
	provider := &rotating{}
	var c *Client
	depth := 0
	c = newFakeClient(t, func(r *http.Request) (*http.Response, error) {
		if !strings.Contains(r.Header.Get("Authorization"), "AKID1/") {
			return answer(204, ""), nil
		}
		if depth++; depth < 5 {
			_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
			noError(t, err)
		}
		return answer(400, errorBody("ExpiredToken")), nil
	}, func(o *Options) { o.Credentials = provider })
	_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if provider.n != 2 {
		t.Errorf("the provider was asked %d times", provider.n)
	}
}
