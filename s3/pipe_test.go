package s3

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
)

// pipeListener accepts connections that never leave the process.
type pipeListener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *pipeListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *pipeListener) Addr() net.Addr { return &net.UnixAddr{Name: "pipe", Net: "pipe"} }

// newPipeClient is newTestClient for a bubble of testing/synctest: it speaks
// to handler over connections inside the process, through the client's own
// transport, and time passes only while nobody has anything to do. The second
// result counts the connections.
func newPipeClient(t *testing.T, handler http.HandlerFunc, change ...func(*Options)) (*Client, *atomic.Int32) {
	t.Helper()
	l := &pipeListener{conns: make(chan net.Conn), done: make(chan struct{})}
	srv := &httptest.Server{Listener: l, Config: &http.Server{Handler: handler}}
	srv.Start()
	t.Cleanup(srv.Close)
	o := testOptions("http://s3.test")
	for _, f := range change {
		f(&o)
	}
	c, err := New(o)
	noError(t, err)
	t.Cleanup(c.Close)
	var count atomic.Int32
	c.transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case l.conns <- there:
			count.Add(1)
			return newWireConn(here, c.pool, true), nil
		case <-l.done:
			return nil, net.ErrClosed
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	return c, &count
}
