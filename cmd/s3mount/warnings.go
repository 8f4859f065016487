package main

import (
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/metrics"
)

// warnings are what the settings allow but somebody should know.
func warnings(s *settings) []string {
	var notes []string
	if u, err := url.Parse(s.s3.Endpoint); err == nil && u.Scheme == "http" && !s.anonymous && !isLoopback(u.Hostname()) {
		notes = append(notes, fmt.Sprintf("%s is not encrypted: others on the network can read and change the data", s.s3.Endpoint))
	}
	if metricsAreOpen(s.metrics) {
		notes = append(notes, fmt.Sprintf("--metrics %s: whoever reaches this address can read the metrics", s.metrics))
	}
	return notes
}

// isLoopback tells whether a host is this machine; *.localhost is (RFC 6761).
func isLoopback(host string) bool {
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}

// metricsAreOpen tells whether other machines may be able to read the metrics.
func metricsAreOpen(text string) bool {
	addr, err := metrics.Address(text)
	if text == "" || err != nil {
		return false
	}
	host, _, err := net.SplitHostPort(addr)
	return err == nil && !isLoopback(host)
}
