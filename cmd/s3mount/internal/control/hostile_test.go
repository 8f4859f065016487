package control

import (
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// impostor answers on the socket of a mount with handler.
func impostor(t *testing.T, handler http.HandlerFunc) *Client {
	t.Helper()
	dir := testDir(t)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, SocketName(0, 77))
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: handler}
	go func() { _ = srv.Serve(l) }() // until Close
	t.Cleanup(func() { srv.Close() })
	return connect(t, dir)
}

// TestEndlessAnswer checks that a socket cannot fill the memory of a client. The
// impostor counts what it gets rid of; buffers take some more than the limit.
func TestEndlessAnswer(t *testing.T) {
	const bound = maxAnswer + 4<<20
	for name, ask := range map[string]func(*Client) error{
		"status": func(c *Client) error { _, err := c.Status(t.Context()); return err },
		"sync":   func(c *Client) error { return c.Sync(t.Context(), func(Progress) {}) },
		"wait": func(c *Client) error {
			f, err := c.Ending(t.Context())
			if err != nil {
				return err
			}
			return f.Wait(func(Progress) {})
		},
	} {
		sent, gone := 0, make(chan struct{})
		c := impostor(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(gone)
			chunk := strings.Repeat(`"x",`, 16<<10)
			_, _ = io.WriteString(w, `{"uploads":[`)
			for sent < 4*bound {
				n, err := io.WriteString(w, chunk)
				sent += n
				if err != nil {
					return
				}
			}
		})
		if err := ask(c); !errors.Is(err, errTooLong) {
			t.Errorf("%s: %v", name, err)
		}
		<-gone
		if sent > bound {
			t.Errorf("%s: the client took %d bytes", name, sent)
		}
	}
}
