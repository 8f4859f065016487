package harness

import (
	"fmt"
	"net"
	"strings"
	"testing"
)

// notifySocket stands in for a service manager (sd_notify(3)): it returns the
// address that a process has to be given and a channel that is closed when the
// process has said that it is ready. Before that s3mount still tries its own
// mount, and an umount would find it busy.
func notifySocket(t testing.TB, heard func(message string)) (address string, ready <-chan struct{}, err error) {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: "", Net: "unixgram"}) // the kernel names it (unix(7), autobind)
	if err != nil {
		return "", nil, fmt.Errorf("stand in for the service manager: %w", err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	c := make(chan struct{})
	go func() {
		told := false
		buf := make([]byte, 4096)
		for { // to the end: a process whose messages nobody takes would wait
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
