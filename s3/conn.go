package s3

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// wireConn is a connection to a server. It lets a request's body write itself
// to the connection, where net/http would copy it through 32 KiB pieces, and
// wakes the reader of a large body only when there is much to read.
type wireConn struct {
	net.Conn
	pool *bufferPool
	mark lowWater
	raw  syscall.RawConn // nil: the mark cannot be set
	set  func(fd uintptr)
	now  int // the mark that the socket has
	// sealed: TLS runs over this connection. Its reader asks for more than
	// will come, and would wait for ever at a mark.
	sealed atomic.Bool
}

// newWireConn wraps a new connection; plain tells that http is spoken over it.
func newWireConn(c net.Conn, pool *bufferPool, plain bool) *wireConn {
	w := &wireConn{Conn: c, pool: pool, now: 1}
	w.sealed.Store(!plain)
	if sc, ok := c.(syscall.Conn); ok && plain {
		if raw, err := sc.SyscallConn(); err == nil {
			w.raw, w.set = raw, func(fd uintptr) { setLowWater(fd, w.now) }
		}
	}
	return w
}

// tlsHandshake is the type of the record that opens a TLS connection
// (RFC 8446, section 5.1), as to a proxy whose own URL says https. No
// request in plain http begins like this.
const tlsHandshake = 22

// Write implements net.Conn.
func (c *wireConn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] == tlsHandshake {
		c.sealed.Store(true)
	}
	return c.Conn.Write(p)
}

// Read implements net.Conn. net/http asks for more than connBuffer bytes only
// where at least so many of a body are still to come: its own reader is passed
// by with the caller's buffer, cut to the rest of the body or of its chunk.
func (c *wireConn) Read(p []byte) (int, error) {
	if c.raw == nil || c.sealed.Load() {
		return c.Conn.Read(p)
	}
	mark := c.mark.want(len(p))
	if mark != c.now {
		c.now = mark
		if err := c.raw.Control(c.set); err != nil {
			return 0, err
		}
	}
	if len(p) <= connBuffer {
		return c.Conn.Read(p)
	}
	start := time.Now()
	n, err := c.Conn.Read(p)
	c.mark.took(n, time.Since(start))
	return n, err
}

// ReadFrom is what net/http calls with the rest of a request's body once the
// headers are sent.
func (c *wireConn) ReadFrom(r io.Reader) (int64, error) {
	if lr, ok := r.(*io.LimitedReader); ok {
		if b, ok := lr.R.(*sendBody); ok {
			n, err := b.writeTo(c.Conn, lr.N)
			lr.N -= n
			return n, err
		}
	}
	buf := c.pool.get()
	defer c.pool.put(buf)
	return io.CopyBuffer(struct{ io.Writer }{c.Conn}, struct{ io.Reader }{r}, *buf)
}
