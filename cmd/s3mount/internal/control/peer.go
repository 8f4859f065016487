package control

import (
	"fmt"
	"log/slog"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// listener accepts only connections of this user and of root.
type listener struct {
	*net.UnixListener
	log *slog.Logger
}

// Accept returns the next connection of this user or of root.
func (l listener) Accept() (net.Conn, error) {
	for {
		c, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		uid, err := peerOf(c)
		if err == nil && (uid == os.Geteuid() || uid == 0) {
			return c, nil
		}
		l.log.Warn("refused a control connection", slog.Int("uid", uid), slog.Any("error", err))
		c.Close()
	}
}

// peerOf returns the user at the other end of a connection.
func peerOf(c *net.UnixConn) (uid int, err error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("reach the socket: %w", err)
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return -1, fmt.Errorf("ask for the peer's user: %w", err)
	}
	return int(cred.Uid), nil
}
