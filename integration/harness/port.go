package harness

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"syscall"
)

// lowestPort is the first port that FreePort returns. Common services have lower ports.
const lowestPort = 10_000

// FreePort returns a free loopback address. It avoids ephemeral ports if there are
// others. The kernel may assign an ephemeral port to the next connection, and a client
// of such a port may connect to itself while the server is stopped.
func FreePort() (string, error) {
	var err error
	for range 100 {
		port := 0
		if end := ephemeralPorts(); end > lowestPort {
			port = lowestPort + rand.IntN(end-lowestPort)
		}
		var ln net.Listener
		if ln, err = net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))); err == nil {
			return ln.Addr().String(), ln.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			break
		}
	}
	return "", fmt.Errorf("find a free port: %w", err)
}

// ephemeralPorts returns the first ephemeral port (ip_local_port_range in ip(7)).
func ephemeralPorts() int {
	first := 32_768 // default of Linux
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &first) // keeps the default on failure
	}
	return first
}
