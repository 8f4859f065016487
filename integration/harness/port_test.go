package harness

import (
	"net"
	"strconv"
	"testing"
)

// TestFreePort checks that a free port stays free, because the kernel does not assign
// it.
func TestFreePort(t *testing.T) {
	for range 20 {
		addr, err := FreePort()
		if err != nil {
			t.Fatal(err)
		}
		_, text, err := net.SplitHostPort(addr)
		if err != nil {
			t.Fatal(err)
		}
		port, err := strconv.Atoi(text)
		if first := ephemeralPorts(); err != nil || first > lowestPort && (port < lowestPort || port >= first) {
			t.Errorf("port %s is not between %d and %d", text, lowestPort, first)
		}
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			t.Errorf("it is not free: %v", err)
			continue
		}
		_ = ln.Close() // a listener has nothing to lose
	}
}
