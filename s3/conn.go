package s3

import (
	"io"
	"net"
	"sync/atomic"
	"syscall"
	"time"
)

// wireConn is a connection to a server. It writes request bodies directly to the
// connection, where net/http would copy them in pieces of 32 KiB, and it sets a
// low-water mark so that the reader of a large body wakes only when much data has
// arrived.
type wireConn struct {
	net.Conn
	pool *bufferPool
	mark lowWater
	raw  syscall.RawConn // nil if the low-water mark cannot be set
	set  func(fd uintptr)
	now  int // the current mark of the socket, in bytes
	// sealed is set when TLS runs over this connection. The TLS reader asks for more
	// bytes than will arrive and would wait forever for the low-water mark.
	sealed atomic.Bool
}

// newWireConn wraps a new connection. plain reports whether the connection carries
// unencrypted HTTP.
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

// tlsHandshake is the type of the first record of a TLS connection (RFC 8446, section
// 5.1). TLS on a connection that was opened as plain occurs with proxies whose URL has
// the scheme https. No HTTP request begins with this byte.
const tlsHandshake = 22

// Write implements net.Conn.
func (c *wireConn) Write(p []byte) (int, error) {
	if len(p) > 0 && p[0] == tlsHandshake {
		c.sealed.Store(true)
	}
	return c.Conn.Write(p)
}

// Read implements net.Conn. net/http passes a buffer of more than connBuffer bytes only
// if at least as many bytes of the body are still to come: it then reads into the
// caller's buffer, cut to the rest of the body or chunk. Only such reads use a
// low-water mark.
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

// ReadFrom implements io.ReaderFrom. net/http calls it with the rest of a request body
// after it has sent the headers.
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
