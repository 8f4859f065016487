package setup

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/metrics"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
)

// Warnings returns warnings about settings that are allowed but risky.
func Warnings(s *settings.Settings) []string {
	var notes []string
	if u, err := url.Parse(s.S3.Endpoint); err == nil && u.Scheme == "http" && !s.Anonymous && !isLoopback(u.Hostname()) {
		notes = append(notes, fmt.Sprintf("%s is not encrypted: others on the network can read and change the data", s.S3.Endpoint))
	}
	if MetricsAreOpen(s.Metrics) {
		notes = append(notes, fmt.Sprintf("--metrics %s: everyone who can reach this address can read the metrics", s.Metrics))
	}
	return notes
}

// isLoopback reports whether a host is this machine; *.localhost is (RFC 6761).
func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// MetricsAreOpen reports whether other machines may be able to read the metrics.
func MetricsAreOpen(text string) bool {
	addr, err := metrics.Address(text)
	if text == "" || err != nil {
		return false
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && !isLoopback(host)
}
