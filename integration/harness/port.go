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

// lowestPort is the first that FreePort gives: those of a machine's services are
// below it.
const lowestPort = 10_000

// FreePort gives a loopback address on which nobody listens. It is none of those
// that the kernel hands out, if there are others: such a port is free only until
// somebody's next connection, and who tries it while its server is away may be
// connected to himself.
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

// ephemeralPorts is the first port that the kernel gives to whoever wants any
// (ip_local_port_range in ip(7)).
func ephemeralPorts() int {
	first := 32_768 // Linux's own choice
	if b, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		_, _ = fmt.Sscan(string(b), &first) // or it stays as it is
	}
	return first
}
