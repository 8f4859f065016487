package harness

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// notifySocket simulates a service manager (sd_notify(3)). It returns the address for
// the process and a channel that is closed when the process reports that it is ready.
// Before that, s3mount checks its own mount, and an umount would fail because it is
// busy.
func notifySocket(t testing.TB, heard func(message string)) (address string, ready <-chan struct{}, err error) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "", Net: "unixgram"}) // the kernel chooses the name (autobind, unix(7))
	if err != nil {
		return "", nil, fmt.Errorf("stand in for the service manager: %w", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := make(chan struct{})
	go func() {
		told := false
		buf := make([]byte, 4096)
		for { // read all messages, so that the process does not block
			n, err := conn.Read(buf)
			if err != nil {
				return
			}
			message := string(buf[:n])
			if heard != nil {
				heard(message)
			}
			if !told && strings.Contains(message, "READY=1") {
				told = true
				close(c)
			}
		}
	}()
	return conn.LocalAddr().String(), c, nil
}
