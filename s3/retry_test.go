package s3

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestBackoffIsFullJitter(t *testing.T) {
	for retry := range 40 {
		limit := backoffLimit(retry)
		if limit <= 0 || limit > backoffCap || retry > 0 && limit < backoffLimit(retry-1) {
			t.Fatalf("limit of retry %d is %v", retry, limit)
		}
		for range 100 {
			if d := fullJitter(retry); d <= 0 || d > limit {
				t.Fatalf("retry %d waits %v of %v", retry, d, limit)
			}
		}
	}
	if backoffLimit(0) != 100*time.Millisecond || backoffLimit(3) != 800*time.Millisecond || backoffLimit(30) != 10*time.Second {
		t.Error("limits do not double from the base to the cap")
	}
}

func TestRetryBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newRetryBudget()
		for i := range retryBurst {
			if wait, ok := b.take(time.Minute); wait != 0 || !ok {
				t.Fatalf("retry %d of the burst waits %v", i, wait)
			}
		}
		if wait, ok := b.take(time.Minute); !ok || wait != time.Second/retryRate {
			t.Errorf("after the burst: %v %v", wait, ok)
		}
		if wait, ok := b.take(time.Minute); !ok || wait != 2*time.Second/retryRate {
			t.Errorf("the next queues: %v %v", wait, ok)
		}
		if _, ok := b.take(time.Millisecond); ok {
			t.Error("a token was given to a call that cannot wait for it")
		}
		time.Sleep(time.Hour)
		if b.take(0); b.tokens != retryBurst-1 {
			t.Errorf("%v tokens after an hour", b.tokens)
		}
	})
}

// failing answers with each of the responses in turn, then with 200.
func failing(n *int, failures ...*http.Response) roundTrip {
	return func(*http.Request) (*http.Response, error) {
		*n++
		if *n <= len(failures) {
			if failures[*n-1] == nil {
				return nil, io.ErrUnexpectedEOF
			}
			return failures[*n-1], nil
		}
		return answer(200, "", "ETag", `"1"`, "Date", "Sun, 22 Nov 2026 13:00:00 GMT"), nil
	}
}

func TestRetries(t *testing.T) {
	for _, tt := range []struct {
		name     string
		first    *http.Response // nil: connection broke
		attempts int
		err      error
	}{
		{"broken connection", nil, 2, nil},
		{"500", answer(500, errorBody("InternalError")), 2, nil},
		{"503", answer(503, errorBody("SlowDown")), 2, nil},
		{"429", answer(429, ""), 2, nil},
		{"400 RequestTimeout", answer(400, errorBody("RequestTimeout")), 2, nil},
		{"403 as throttle", answer(403, errorBody("RequestLimitExceeded")), 2, nil},
		{"409 of a race", answer(409, errorBody("ConditionalRequestConflict")), 2, nil},
		{"502 of a proxy", answer(502, "<html>"), 2, nil},
		{"404", answer(404, errorBody("NoSuchKey")), 1, ErrNotFound},
		{"403", answer(403, errorBody("AccessDenied")), 1, ErrForbidden},
		{"412", answer(412, errorBody("PreconditionFailed")), 1, ErrPreconditionFailed},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				c := newFakeClient(t, failing(&n, tt.first))
				_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
				if tt.err != nil && tt.err != ErrNotFound {
					wantIs(t, err, tt.err)
				} else if err != nil {
					t.Error(err)
				}
				if n != tt.attempts {
					t.Errorf("%d attempts, want %d", n, tt.attempts)
				}
			})
		})
	}
}

func TestRetryAfterIsObeyed(t *testing.T) {
	server := time.Date(2026, 11, 22, 13, 0, 0, 0, time.UTC) // years ahead of the bubble's clock
	for name, headers := range map[string][]string{
		"seconds": {"Retry-After", "7"},
		"date":    {"Retry-After", server.Add(7 * time.Second).Format(http.TimeFormat), "Date", server.Format(http.TimeFormat)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n, start := 0, time.Now()
				c := newFakeClient(t, failing(&n, answer(503, errorBody("SlowDown"), headers...)))
				_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
				noError(t, err)
				if d := time.Since(start); d < 7*time.Second || d > 8*time.Second {
					t.Errorf("waited %v", d)
				}
			})
		})
	}
}

func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n, start := 0, time.Now()
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
			n++
			return answer(503, errorBody("SlowDown")), nil
		}, func(o *Options) { o.Deadline, o.MaxAttempts = 20*time.Second, 1000 })
		_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
		e := wantIs(t, err, ErrThrottled, ErrTransient, ErrDeadline)
		if d := time.Since(start); d > 20*time.Second || n < 3 {
			t.Errorf("gave up after %v and %d attempts", d, n)
		}
		if e.Status != 503 || e.Code != "SlowDown" {
			t.Errorf("got %v", e)
		}
	})
}

func TestMaxAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) {
			n++
			return nil, errors.New("boom")
		}, func(o *Options) { o.MaxAttempts = 3 })
		_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
		wantIs(t, err, ErrTransient, ErrDeadline)
		if n != 3 {
			t.Errorf("%d attempts", n)
		}
	})
}

func TestCancelledContextStopsTheWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := newFakeClient(t, failing(&n, answer(503, "", "Retry-After", "30")))
		reason := errors.New("unmounted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(reason) })
		start := time.Now()
		_, err := c.Delete(ctx, &DeleteInput{Bucket: "bucket", Key: "k"})
		wantIs(t, err, context.Canceled, reason)
		if errors.Is(err, ErrTransient) {
			t.Errorf("%v looks like the server's fault", err)
		}
		if d := time.Since(start); d != time.Second || n != 1 {
			t.Errorf("stopped after %v, %d attempts", d, n)
		}
	})
}

// While the retry budget is empty, calls wait at most until their deadline.
func TestExhaustedBudgetEndsRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) { return answer(500, ""), nil },
			func(o *Options) { o.Deadline = time.Second })
		c.budget.tokens = -1000
		start := time.Now()
		_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
		wantIs(t, err, ErrTransient, ErrDeadline)
		if time.Since(start) > time.Second {
			t.Errorf("took %v", time.Since(start))
		}
	})
}

// blockingBody sends some bytes and then nothing until it is closed.
type blockingBody struct {
	io.Reader
	ctx context.Context
}

func (b *blockingBody) Read(p []byte) (int, error) {
	if n, err := b.Reader.Read(p); err == nil {
		return n, nil
	}
	<-b.ctx.Done()
	return 0, context.Cause(b.ctx)
}

func (b *blockingBody) Close() error { return nil }

func TestStalledBodyIsResumed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const content = "0123456789"
		var ranges []string
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			ranges = append(ranges, r.Header.Get("Range")+r.Header.Get("If-Match"))
			if len(ranges) == 1 {
				resp := answer(200, content, "ETag", `"1"`)
				resp.Body = &blockingBody{strings.NewReader(content[:4]), r.Context()}
				return resp, nil
			}
			return answer(206, content[4:], "ETag", `"1"`, "Content-Range", "bytes 4-9/10"), nil
		})
		start := time.Now()
		out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
		noError(t, err)
		time.Sleep(time.Hour) // a slow caller is no stall
		got, err := io.ReadAll(out.Body)
		noError(t, err)
		if string(got) != content || len(ranges) != 2 || ranges[1] != `bytes=4-9"1"` {
			t.Errorf("got %q by %q", got, ranges)
		}
		if d := time.Since(start) - time.Hour; d < 2*time.Second || d > 3*time.Second {
			t.Errorf("cut after %v", d)
		}
	})
}

// The watchdog over a request body begins with its first bytes.
func TestStalledUploadIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		c := newFakeClient(t, func(*http.Request) (*http.Response, error) { panic("not reached") },
			func(o *Options) {
				o.Transport = func(http.RoundTripper) http.RoundTripper {
					return rawRoundTrip(func(r *http.Request) (*http.Response, error) {
						time.Sleep(3 * time.Second) // connecting
						io.ReadFull(r.Body, make([]byte, 2))
						if n++; n == 2 {
							io.Copy(io.Discard, r.Body)
							return answer(200, "", "ETag", `"1"`), nil
						}
						<-r.Context().Done()
						return nil, context.Cause(r.Context())
					})
				}
			})
		start := time.Now()
		_, err := c.Put(t.Context(), &PutInput{Bucket: "bucket", Key: "k", Body: strings.NewReader("abc"), Size: 3})
		noError(t, err)
		if d := time.Since(start); d < 8*time.Second || d > 9*time.Second {
			t.Errorf("took %v, want twice 3 s to connect, 2 s of stall and the backoff", d)
		}
	})
}

// rawRoundTrip leaves the body to the function.
type rawRoundTrip func(*http.Request) (*http.Response, error)

func (f rawRoundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// tricklingBody sends a byte per second.
type tricklingBody struct{ ctx context.Context }

func (b *tricklingBody) Read(p []byte) (int, error) {
	select {
	case <-time.After(time.Second):
		p[0] = 'x'
		return 1, nil
	case <-b.ctx.Done():
		return 0, context.Cause(b.ctx)
	}
}

func (b *tricklingBody) Close() error { return nil }

func TestTricklingServerIsCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			resp := answer(200, "")
			resp.ContentLength, resp.Body = 1<<30, &tricklingBody{r.Context()}
			return resp, nil
		})
		out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
		noError(t, err)
		start := time.Now()
		_, err = io.ReadAll(out.Body)
		wantIs(t, err, ErrTransient, errStalled)
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("took %v", d)
		}
	})
}

func TestServerThatNeverAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, context.Cause(r.Context())
		}, func(o *Options) { o.MaxAttempts = 2 })
		start := time.Now()
		_, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		wantIs(t, err, ErrTransient, errNoResponse)
		if d := time.Since(start); d > 2*(5*time.Second+2*c.opts.ConnectTimeout)+time.Second {
			t.Errorf("took %v", d)
		}
	})
}

// The wait for a slot does not count as time of the server.
func TestConnectionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		running, most := 0, 0
		c := newFakeClient(t, func(r *http.Request) (*http.Response, error) {
			running++
			most = max(most, running)
			time.Sleep(time.Second)
			running--
			return answer(204, ""), nil
		}, func(o *Options) { o.Connections = 1 })
		done := make(chan error)
		for range 20 {
			go func() {
				_, err := c.Delete(t.Context(), &DeleteInput{Bucket: "bucket", Key: "k"})
				done <- err
			}()
		}
		for range 20 {
			noError(t, <-done)
		}
		if most != 1 {
			t.Errorf("%d exchanges at one time", most)
		}
	})
}

func TestWatchdogForgivesTheWaitBetweenReads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancelCause(t.Context())
		w := newWatchdog(cancel, 10*time.Second)
		for range 100 {
			w.begin()
			time.Sleep(9 * time.Second)
			w.progress(stallBytes)
			time.Sleep(time.Hour)
		}
		if ctx.Err() != nil {
			t.Fatal("cut a live transfer")
		}
		w.begin()
		time.Sleep(11 * time.Second)
		synctest.Wait()
		if context.Cause(ctx) != errStalled {
			t.Error("did not cut a stalled transfer")
		}
		w.stop()
	})
}
