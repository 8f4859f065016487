package s3

import (
	"io"
	"net"
	"syscall"
	"testing"
	"time"
)

// pipe returns a wireConn whose low-water mark is raised, as after a large body, and
// the other end of the connection.
func pipe(t *testing.T, plain bool) (*wireConn, net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	noError(t, err)
	defer l.Close()
	near, err := net.Dial("tcp", l.Addr().String())
	noError(t, err)
	t.Cleanup(func() { near.Close() })
	far, err := l.Accept()
	noError(t, err)
	t.Cleanup(func() { far.Close() })
	c := newWireConn(near, new(bufferPool), plain)
	c.mark.mark = maxLowWater
	noError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	return c, far
}

// socketMark is the mark that the kernel knows of.
func socketMark(t *testing.T, c *wireConn) (mark int) {
	t.Helper()
	raw, err := c.Conn.(syscall.Conn).SyscallConn()
	noError(t, err)
	noError(t, raw.Control(func(fd uintptr) {
		mark, err = syscall.GetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT)
	}))
	noError(t, err)
	return mark
}

func TestReadsAtTheMark(t *testing.T) {
	const size = 200 << 10
	for _, tt := range []struct {
		name  string
		plain bool
		first string // that the client writes
		room  int    // of the client's buffer
		sent  int    // by the server
	}{
		{"body", true, "GET", size, size},
		{"headers", true, "GET", connBuffer, 1},
		{"https", false, "GET", size, 1},
		{"proxy spoken to by TLS", true, "\x16\x03\x01", size, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, far := pipe(t, tt.plain)
			_, err := c.Write([]byte(tt.first))
			noError(t, err)
			_, err = far.Write(make([]byte, tt.sent))
			noError(t, err)
			if n, err := io.ReadAtLeast(c, make([]byte, tt.room), tt.sent); err != nil {
				t.Errorf("read %d of %d bytes: %v", n, tt.sent, err)
			}
		})
	}
}

func TestSocketMark(t *testing.T) {
	c, far := pipe(t, true)
	_, err := far.Write(make([]byte, 100<<10))
	noError(t, err)
	for _, tt := range []struct{ room, mark int }{{100 << 10, 100 << 10}, {connBuffer, 1}} {
		_, err := c.Read(make([]byte, tt.room))
		noError(t, err)
		if got := socketMark(t, c); got != tt.mark {
			t.Errorf("the mark is %d for a read of %d bytes, want %d", got, tt.room, tt.mark)
		}
		_, err = far.Write(make([]byte, 1)) // for the next read
		noError(t, err)
	}
}
