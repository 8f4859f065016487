package s3

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A refused HEAD does not give a reason. The client finds new keys in the shared file
// at once, regardless of the kind of request that was refused.
func TestNewKeysAreFoundWhenTheOldAreRevoked(t *testing.T) {
	for name, refuse := range map[string]func(r *http.Request) (*http.Response, error){
		"not known": func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodHead {
				return answer(403, ""), nil
			}
			return answer(403, errorBody("InvalidAccessKeyId")), nil
		},
		"expired": func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodHead {
				return answer(400, ""), nil
			}
			return answer(400, errorBody("ExpiredToken")), nil
		},
	} {
		for _, op := range []string{"Head", "Delete"} {
			t.Run(name+" "+op, func(t *testing.T) {
				file := sharedFiles(t)
				writeKeys(t, file, "AKID1")
				p, err := DefaultCredentials(t.Context(), "")
				noError(t, err)
				valid := "AKID1"
				c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
					if !strings.Contains(r.Header.Get("Authorization"), valid+"/") {
						return refuse(r)
					}
					return answer(200, ""), nil
				}, func(o *Options) { o.Credentials = p })
				call := func() error {
					if op == "Head" {
						_, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
						return err
					}
					_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
					return err
				}
				noError(t, call())
				writeKeys(t, file, "AKIDNEW")
				valid = "AKIDNEW"
				noError(t, call())
			})
		}
	}
}

// A HEAD that is refused with valid keys costs one additional listing, which shows
// whether the object is absent.
func TestForbiddenHeadIsAskedOnce(t *testing.T) {
	file := sharedFiles(t)
	writeKeys(t, file, "AKID1")
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	n := 0
	c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
		n++
		return answer(403, ""), nil
	}, func(o *Options) { o.Credentials = p })
	_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
	wantIs(t, err, ErrForbidden)
	if n != 2 {
		t.Errorf("%d requests", n)
	}
}

// Refused HEADs do not renew credentials more often than after a failed renewal.
func TestDoubtedCredentialsAreFetchedNowAndThen(t *testing.T) {
	sharedFiles(t)
	synctest.Test(t, func(t *testing.T) {
		source := &expiring{life: 12 * time.Hour}
		p := chainOf(source)
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) { return answer(403, ""), nil },
			func(o *Options) { o.Credentials = p })
		const long = time.Minute
		for begin := time.Now(); time.Since(begin) < long; time.Sleep(100 * time.Millisecond) {
			_, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
			wantIs(t, err, ErrForbidden)
		}
		if most := int(long/renewAgain) + 1; source.n < 2 || source.n > most {
			t.Errorf("the provider was asked %d times in %v", source.n, long)
		}
	})
}
