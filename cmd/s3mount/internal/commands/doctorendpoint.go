package commands

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/s3"
)

// soon is the time before its end at which a certificate is worth a note.
const soon = 14 * 24 * time.Hour

// shownAddresses limits the addresses of a server that are shown.
const shownAddresses = 4

// checkEndpoint reports where requests go and how: the address, the version of IP, the proxy
// and the client certificate. The check of the bucket then uses all of it.
func (e *examination) checkEndpoint(ctx context.Context) finding {
	client, err := s3.New(e.options)
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "%w", err)}
	}
	defer client.Close()
	where, err := client.URL(e.s.Source.Bucket)
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "%w", err)}
	}
	u, err := url.Parse(where)
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "--endpoint: %w", err)}
	}
	says := []string{u.Scheme + "://" + u.Host}
	for _, check := range []func(context.Context, *url.URL) finding{e.checkRoute, e.checkCAFile, e.checkClientCertificate} {
		f := check(ctx, u)
		if f.err != nil || f.doubt {
			return f
		}
		if f.text != "" {
			says = append(says, f.text)
		}
	}
	return found("%s", strings.Join(says, ", "))
}

// checkRoute reports the proxy, or the addresses of the server if there is no proxy.
func (e *examination) checkRoute(ctx context.Context, u *url.URL) finding {
	proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u})
	if err != nil {
		return finding{err: exit.Errorf(exit.Endpoint, "HTTPS_PROXY or HTTP_PROXY: %w", err)}
	}
	if proxy != nil {
		return found("through the proxy %s", proxy.Redacted())
	}
	network := map[s3.IPFamily]string{s3.IPBoth: "ip", s3.IPv4Only: "ip4", s3.IPv6Only: "ip6"}[e.options.IPFamily]
	addresses, err := net.DefaultResolver.LookupIP(ctx, network, u.Hostname())
	if err != nil {
		hint := ""
		if e.options.IPFamily != s3.IPBoth {
			hint = fmt.Sprintf(" with --ip-version %s; on AWS, --dual-stack has IPv6", strings.TrimPrefix(network, "ip"))
		}
		return finding{err: exit.Errorf(exit.Endpoint, "the name %s has no address%s: %w", u.Hostname(), hint, err)}
	}
	var shown []string
	for _, a := range addresses[:min(len(addresses), shownAddresses)] {
		shown = append(shown, a.String())
	}
	return found("which is %s", text.Enumerate(shown))
}

// checkCAFile reports the file of further authorities. The options were made from it, so it
// can be read.
func (e *examination) checkCAFile(context.Context, *url.URL) finding {
	if e.s.CaFile == "" {
		return finding{}
	}
	return found("with the authorities of %s", e.s.CaFile)
}

// checkClientCertificate reports until when the client certificate is valid.
func (e *examination) checkClientCertificate(context.Context, *url.URL) finding {
	if e.options.ClientCertificate == nil {
		return finding{}
	}
	pair, err := e.options.ClientCertificate()
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "--cert-file: %w", err)}
	}
	cert, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return finding{err: exit.Errorf(exit.Usage, "--cert-file: %w", err)}
	}
	now := time.Now()
	until := cert.NotAfter.Local().Format("2006-01-02")
	switch {
	case now.Before(cert.NotBefore):
		return finding{err: exit.Errorf(exit.Usage, "--cert-file: the client certificate is not valid before %s", cert.NotBefore.Local().Format("2006-01-02"))}
	case now.After(cert.NotAfter):
		return finding{err: exit.Errorf(exit.Usage, "--cert-file: the client certificate has expired on %s", until)}
	case cert.NotAfter.Sub(now) < soon:
		return doubtful("the client certificate expires on %s", until)
	}
	return found("with a client certificate until %s", until)
}
