package s3test_test

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/s3mount/s3mount/s3/s3test"
)

// faulty is a server with faults on one side of the wire.
func faulty(t *testing.T, o s3test.Options, f *s3test.Faults, inServer bool) *raw {
	t.Helper()
	if inServer {
		o.Faults = f
	}
	r := newRaw(t, o)
	if !inServer {
		r.client.Transport = f.Transport(r.client.Transport)
	}
	return r
}

// bothSides runs a test with the faults in the client's transport and in the server.
func bothSides(t *testing.T, f func(t *testing.T, inServer bool)) {
	t.Run("transport", func(t *testing.T) { f(t, false) })
	t.Run("server", func(t *testing.T) { f(t, true) })
}

// try sends a request and returns what arrived of the answer.
func (r *raw) try(method, key, body string) (status int, got string, err error) {
	r.t.Helper()
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	req, err := http.NewRequestWithContext(r.t.Context(), method, r.srv.URL()+"/b/"+key, reader)
	if err != nil {
		r.t.Fatal(err)
	}
	req.GetBody = nil // else net/http itself repeats a request whose connection broke
	res, err := r.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer res.Body.Close()
	p, err := io.ReadAll(res.Body)
	return res.StatusCode, string(p), err
}

func TestFaults(t *testing.T) {
	bothSides(t, func(t *testing.T, inServer bool) {
		const old, body = "0123456789", "new bytes"
		for _, c := range []struct {
			name    string
			fault   s3test.Fault
			method  string
			status  int    // 0: an error instead of an answer
			got     string // of the body of a GET
			err     error  // nil: any, where there is one
			changed bool
		}{
			{"fail", s3test.Fail(nil), "PUT", 0, "", nil, false},
			{"slow down", s3test.SlowDown(time.Second), "PUT", 503, "SlowDown", nil, false},
			{"internal error", s3test.InternalError(), "PUT", 500, "InternalError", nil, false},
			{"answer", s3test.Answer(400, "RequestTimeout"), "PUT", 400, "RequestTimeout", nil, false},
			{"lost", s3test.LoseAnswer(), "PUT", 0, "", nil, true},
			{"error inside", s3test.ErrorInside("InternalError"), "PUT", 200, "InternalError", nil, true},
			{"twice", s3test.Twice(), "PUT", 200, "", nil, true},
			{"truncated answer", s3test.CutAnswer(4, s3test.Truncate), "GET", 200, "0123", io.ErrUnexpectedEOF, false},
			{"reset answer", s3test.CutAnswer(4, s3test.Reset), "GET", 200, "0123", syscall.ECONNRESET, false},
			{"flipped answer", s3test.FlipAnswer(3), "GET", 200, "012\xcc456789", nil, false},
			{"truncated request", s3test.CutRequest(4, s3test.Truncate), "PUT", 0, "", nil, false},
			{"reset request", s3test.CutRequest(4, s3test.Reset), "PUT", 0, "", nil, false},
		} {
			t.Run(c.name, func(t *testing.T) {
				f := s3test.NewFaults(s3test.Rule{Nth: 2, Fault: c.fault})
				r := faulty(t, s3test.Options{}, f, inServer)
				r.srv.PutObject("b", "k", []byte(old), nil)
				r.want(200, "GET", "/b/k", "")
				send := ""
				if c.method == "PUT" {
					send = body
				}
				status, got, err := r.try(c.method, "k", send)
				wantErr := c.status == 0 || c.err != nil
				if status != c.status || (err != nil) != wantErr || !strings.Contains(got, c.got) {
					t.Errorf("%s = %d %q %v, want %d %q", c.method, status, got, err, c.status, c.got)
				}
				if c.err != nil && !errors.Is(err, c.err) {
					t.Errorf("err = %v, want %v", err, c.err)
				}
				now, _, _ := r.srv.Object("b", "k")
				if (string(now) == body) != c.changed {
					t.Errorf("the object is %q", now)
				}
				r.want(200, "GET", "/b/k", "")
				if f.Struck() != 1 || f.Seen() != 3 {
					t.Errorf("struck %d of %d", f.Struck(), f.Seen())
				}
			})
		}
	})
}

func TestFaultRules(t *testing.T) {
	f := s3test.NewFaults(
		s3test.Rule{Match: s3test.OnKind("GetObject"), Nth: 2, Times: 2, Fault: s3test.SlowDown(0)},
		s3test.Rule{Match: s3test.Both(s3test.OnKind("PutObject"), s3test.OnKey("x/y")), Times: -1, Fault: s3test.InternalError()},
	)
	r := faulty(t, s3test.Options{}, f, false)
	var got []int
	for _, step := range []string{"PUT k", "GET k", "GET k", "PUT x/y", "GET k", "GET k", "PUT x/y", "HEAD k"} {
		method, key, _ := strings.Cut(step, " ")
		got = append(got, r.do(method, "/b/"+key, "").status)
	}
	if want := "[200 200 503 500 503 200 500 200]"; fmt.Sprint(got) != want {
		t.Errorf("statuses %v, want %s", got, want)
	}
	f.Clear()
	r.want(200, "PUT", "/b/x/y", "")
	if f.Seen() != 1 || f.Struck() != 0 {
		t.Errorf("after Clear: struck %d of %d", f.Struck(), f.Seen())
	}
}

func TestFlipRequest(t *testing.T) {
	bothSides(t, func(t *testing.T, inServer bool) {
		r := faulty(t, s3test.Options{}, s3test.NewFaults(s3test.Rule{Fault: s3test.FlipRequest(0)}), inServer)
		if a := r.want(400, "PUT", "/b/k", "body", "Content-MD5", base64.StdEncoding.EncodeToString(sum("body"))); a.code() != "BadDigest" {
			t.Errorf("code = %s", a.code())
		}
	})
}

func TestTwiceIsSeenTwice(t *testing.T) {
	bothSides(t, func(t *testing.T, inServer bool) {
		r := faulty(t, s3test.Options{Versioning: true}, s3test.NewFaults(s3test.Rule{Fault: s3test.Twice()}), inServer)
		r.want(200, "PUT", "/b/k", "body")
		if n := r.srv.Requests()["PutObject"]; n != 2 {
			t.Errorf("%d PUTs", n)
		}
	})
}

// TestFaultTimes runs in a bubble: hours cost nothing.
func TestFaultTimes(t *testing.T) {
	bothSides(t, func(t *testing.T, inServer bool) {
		for _, c := range []struct {
			name   string
			faults *s3test.Faults
			want   time.Duration
		}{
			{"latency", &s3test.Faults{Latency: time.Hour}, time.Hour},
			{"delay", s3test.NewFaults(s3test.Rule{Fault: s3test.Delay(3 * time.Hour)}), 3 * time.Hour},
			{"bandwidth", &s3test.Faults{Bandwidth: 100}, 100 * time.Second},
		} {
			t.Run(c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := faulty(t, s3test.Options{InMemory: true}, c.faults, inServer)
					r.srv.PutObject("b", "k", make([]byte, 10_000), nil)
					start := time.Now()
					if a := r.want(200, "GET", "/b/k", ""); len(a.body) != 10_000 {
						t.Errorf("%d bytes", len(a.body))
					}
					if took := time.Since(start); took.Round(time.Second) != c.want {
						t.Errorf("took %v, want %v", took, c.want)
					}
				})
			})
		}
	})
}

func TestStall(t *testing.T) {
	bothSides(t, func(t *testing.T, inServer bool) {
		for _, c := range []struct {
			method string
			fault  s3test.Fault
		}{
			{"GET", s3test.CutAnswer(4, s3test.Stall)},
			{"PUT", s3test.CutRequest(4, s3test.Stall)},
		} {
			synctest.Test(t, func(t *testing.T) {
				r := faulty(t, s3test.Options{InMemory: true}, s3test.NewFaults(s3test.Rule{Fault: c.fault}), inServer)
				r.srv.PutObject("b", "k", []byte("0123456789"), nil)
				r.client.Timeout = time.Hour
				body := ""
				if c.method == "PUT" {
					body = "more than four bytes"
				}
				start := time.Now()
				_, got, err := r.try(c.method, "k", body)
				if err == nil || time.Since(start) != time.Hour {
					t.Errorf("%s = %q %v after %v", c.method, got, err, time.Since(start))
				}
				if c.method == "GET" && got != "0123" {
					t.Errorf("got %q before the stall", got)
				}
			})
		}
	})
}
