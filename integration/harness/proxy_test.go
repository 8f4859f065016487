package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo answers with the request's body, in chunks if asked, and its length.
func echo(w http.ResponseWriter, r *http.Request) {
	b, _ := io.ReadAll(r.Body)
	w.Header().Set("X-Length", strconv.Itoa(len(b)))
	if !r.URL.Query().Has("chunked") {
		w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	}
	for len(b) > 0 {
		n := min(len(b), 10_000)
		_, _ = w.Write(b[:n])
		b = b[n:]
	}
}

func startEcho(t *testing.T, shape Shape) (*Proxy, *http.Client) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(echo))
	t.Cleanup(srv.Close)
	p, err := StartProxy(srv.URL, shape)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	tr := &http.Transport{ExpectContinueTimeout: time.Second}
	t.Cleanup(tr.CloseIdleConnections)
	return p, &http.Client{Transport: tr}
}

func do(c *http.Client, method, url string, body []byte, headers ...string) (string, int, error) {
	req, err := http.NewRequest(method, url, bytes.NewReader(body))
	if err != nil {
		return "", 0, err
	}
	for _, h := range headers {
		k, v, _ := strings.Cut(h, ": ")
		req.Header.Set(k, v)
	}
	res, err := c.Do(req)
	if err != nil {
		return "", 0, err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	return string(b), res.StatusCode, err
}

func TestProxyForwards(t *testing.T) {
	p, c := startEcho(t, Shape{})
	want := strings.Repeat("0123456789", 50_000)
	for i := range 3 {
		for _, target := range []string{"/b/k", "/b/k?chunked", "/b//x/../y%2Fz"} {
			got, status, err := do(c, "PUT", p.URL+target, []byte(want), "Expect: 100-continue")
			if err != nil || status != 200 || got != want {
				t.Fatalf("round %d, %s: status %d, %d bytes, %v", i, target, status, len(got), err)
			}
		}
	}
	if got, _, err := do(c, "HEAD", p.URL+"/b/k", nil); err != nil || got != "" {
		t.Errorf("head: %q, %v", got, err)
	}
	counts := p.Counts()
	if counts[Put] != 9 || counts[Head] != 1 || counts.Total() != 10 {
		t.Errorf("counted %v", counts)
	}
	if sent, received := p.Bytes(); sent != 9*500_000 || received < sent {
		t.Errorf("counted %d bytes sent, %d received", sent, received)
	}
	if n := p.MaxConns(); n != 1 {
		t.Errorf("%d connections for requests that were made one by one", n)
	}
}

func TestProxyShape(t *testing.T) {
	p, c := startEcho(t, Shape{Latency: 20 * time.Millisecond, Rate: 10 << 20})
	start := time.Now()
	if _, _, err := do(c, "PUT", p.URL+"/b/k", make([]byte, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(start); d < 150*time.Millisecond { // 20 ms, and three of four pieces at 25 ms each way
		t.Errorf("took %v", d)
	}
}

func TestProxyFaults(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault Fault
		check func(body string, status int, err error) error
	}{
		{"status", Fault{Status: 503, Code: "SlowDown", Header: "Retry-After: 1"}, func(body string, status int, err error) error {
			if status != 503 || !strings.Contains(body, "<Code>SlowDown</Code>") {
				return fmt.Errorf("status %d, body %q, %w", status, body, err)
			}
			return nil
		}},
		{"drop", Fault{Drop: true}, wantReset},
		{"drop reply", Fault{DropReply: true}, wantReset},
		{"cut body", Fault{CutBody: 5}, wantReset},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, client := startEcho(t, Shape{})
			c.fault.Match = func(r *Request) bool { return r.Key == "struck" }
			c.fault.Skip, c.fault.Times = 1, 1
			p.Inject(c.fault)
			for i, want := range []bool{false, true, false} {
				body, status, err := do(client, "POST", p.URL+"/b/struck", []byte("0123456789"))
				if want {
					err = c.check(body, status, err)
				} else if err == nil && body != "0123456789" {
					err = fmt.Errorf("got %q", body)
				}
				if err != nil {
					t.Errorf("request %d: %v", i, err)
				}
			}
			p.Heal()
		})
	}
}

// wantReset turns the end of a broken exchange into success.
func wantReset(body string, _ int, err error) error {
	if errors.Is(err, syscall.ECONNRESET) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("not broken: %q, %w", body, err)
}

// TestProxyClose checks that Close does not wait for a request that a fault delays.
func TestProxyClose(t *testing.T) {
	p, c := startEcho(t, Shape{})
	p.Inject(Fault{Delay: time.Hour})
	done := make(chan error, 1)
	go func() {
		_, _, err := do(c, "GET", p.URL+"/b/k", nil)
		done <- err
	}()
	for p.Counts().Total() == 0 {
		time.Sleep(time.Millisecond) // the request is on its way to another goroutine
	}
	p.CloseConnections()
	if err := <-done; err == nil {
		t.Error("answered through a closed connection")
	}
}
