package s3

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestTLS(t *testing.T) {
	srv := httptest.NewTLSServer(objectServer([]byte("abc")))
	defer srv.Close()
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	o := testOptions(srv.URL)
	head := func(o Options) error {
		c, err := New(o)
		noError(t, err)
		defer c.Close()
		_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
		return err
	}
	strict, attempts := o, 0
	strict.Observer = func(Attempt) { attempts++ }
	if e := wantIs(t, head(strict), ErrTransient); !strings.Contains(e.Error(), "certificate") || attempts != 1 {
		t.Errorf("an unknown authority: %v after %d attempts", e, attempts)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	noError(t, os.WriteFile(file, pemOf(srv), 0o600))
	pool, err := CertPool(file)
	noError(t, err)
	trusting := o
	trusting.RootCAs = pool
	noError(t, head(trusting))
	careless := o
	careless.InsecureSkipVerify = true
	noError(t, head(careless))
	if _, err := CertPool(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("no error for a missing file")
	}
	noError(t, os.WriteFile(file, []byte("x"), 0o600))
	if _, err := CertPool(file); err == nil {
		t.Error("no error for a file without certificates")
	}
	plain := testOptions(strings.Replace(srv.URL, "https", "http", 1))
	plain.MaxAttempts = 2
	if err := head(plain); err == nil {
		t.Error("http to a https server gives no error")
	}
}

func pemOf(srv *httptest.Server) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})
}

func TestIPFamily(t *testing.T) {
	for address, families := range map[string]map[IPFamily]bool{
		"127.0.0.1:0": {IPBoth: true, IPv4Only: true, IPv6Only: false},
		"[::1]:0":     {IPBoth: true, IPv4Only: false, IPv6Only: true},
	} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("this host has no %s: %v", address, err)
			continue
		}
		srv := httptest.NewUnstartedServer(objectServer([]byte("abc")))
		srv.Listener.Close()
		srv.Listener = l
		srv.Start()
		defer srv.Close()
		for family, ok := range families {
			o := testOptions(srv.URL)
			o.IPFamily, o.MaxAttempts = family, 1
			c, err := New(o)
			noError(t, err)
			if _, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"}); (err == nil) != ok {
				t.Errorf("%s, family %d: %v", address, family, err)
			}
			c.Close()
		}
	}
}

// Close reads the short rest of a body, for at most the time of a new connection. The
// test runs in a synctest bubble, so that the load of the machine does not matter.
func TestConnectionsAreReused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, conns := newPipeClient(t, objectServer(testBytes(1<<20)))
		p := make([]byte, 1000)
		for i := range 50 {
			out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k", Range: Bytes(0, 50_000)})
			noError(t, err)
			if i%2 == 0 {
				io.ReadFull(out.Body, p) // the rest is small: cheaper to drop than a new connection
			} else {
				io.Copy(io.Discard, out.Body)
			}
			out.Body.Close()
			_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
			noError(t, err)
			_, err = c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k", Conditions: Conditions{IfNoneMatch: "*"}})
			wantIs(t, err, ErrNotModified)
		}
		if conns.Load() != 1 {
			t.Errorf("%d connections for 150 requests one by one", conns.Load())
		}
	})
}

// Close drops the connection of a server that sends the rest of a body slowly. The
// caller does not wait.
func TestSlowRestOfABodyIsDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		slow := func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, "first")
			http.NewResponseController(w).Flush()
			select {
			case <-time.After(time.Hour):
			case <-r.Context().Done():
			}
		}
		c, conns := newPipeClient(t, slow)
		start := time.Now()
		for range 2 {
			out, err := c.Get(t.Context(), &GetInput{Bucket: "bucket", Key: "k"})
			noError(t, err)
			noError(t, out.Body.Close())
		}
		if d := time.Since(start); d != 2*drainTimeout || conns.Load() != 2 {
			t.Errorf("closing took %v, %d connections", d, conns.Load())
		}
	})
}
