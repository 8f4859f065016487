package s3

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// endpoint is the server that Options choose, independent of a bucket.
type endpoint struct {
	scheme string
	host   string // with the port; "" for the endpoints of AWS
	path   string // prefix of all paths, without a trailing slash
	aws    bool   // host belongs to AWS or is empty
	style  Addressing
}

// virtualHostOnly lists the domains of providers that refuse path-style requests.
var virtualHostOnly = [...]string{".aliyuncs.com", ".myqcloud.com", ".volces.com", ".ivolces.com"}

// parseEndpoint parses Options.Endpoint. Its errors complete the sentence "Endpoint
// ...".
func parseEndpoint(o Options) (endpoint, error) {
	e := endpoint{scheme: "https", style: o.Addressing}
	if o.DisableTLS {
		e.scheme = "http"
	}
	if o.Endpoint == "" {
		e.aws = true
		if e.style == AddressingAuto {
			e.style = AddressingVirtualHost
		}
		return e, nil
	}
	raw := o.Endpoint
	if !strings.Contains(raw, "://") {
		raw = e.scheme + "://" + raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return e, errors.New("is not a URL")
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https":
		return e, fmt.Errorf("scheme %q is neither http nor https", u.Scheme)
	case u.User != nil:
		return e, errors.New("must not hold credentials")
	case u.Hostname() == "":
		return e, errors.New("names no host")
	case u.RawQuery != "" || u.Fragment != "":
		return e, errors.New("must not have a query or fragment")
	}
	e.scheme, e.host, e.path = u.Scheme, strings.ToLower(u.Host), strings.TrimRight(u.EscapedPath(), "/")
	host := strings.ToLower(u.Hostname())
	_, e.aws = awsSuffix(host)
	if e.style == AddressingAuto {
		e.style = AddressingPath
		if e.aws {
			e.style = AddressingVirtualHost
		}
		for _, suffix := range virtualHostOnly {
			if strings.HasSuffix(host, suffix) {
				e.style = AddressingVirtualHost
			}
		}
	}
	if net.ParseIP(host) != nil {
		e.style = AddressingPath
	}
	return e, nil
}

// target is the address of one request and the region and service of its signature.
type target struct {
	scheme, host string
	path         string // escaped
	region       string
	service      string
}

// locate returns the target of a request for bucket and key. region is the region of
// the bucket if it differs from Options.Region, or "".
func (c *Client) locate(bucket, key, region string) (target, error) {
	t := target{scheme: c.endpoint.scheme, region: region, service: "s3"}
	if t.region == "" {
		t.region = c.opts.Region
	}
	if strings.HasPrefix(bucket, "arn:") {
		return c.locateARN(t, bucket, key)
	}
	if c.endpoint.host == "" {
		return c.locateAWS(t, bucket, key)
	}
	t.host = c.endpoint.host
	if bucket == "" {
		t.path = c.endpoint.path + "/"
		return t, nil
	}
	if c.style(bucket) == AddressingVirtualHost {
		t.host = bucket + "." + t.host
		t.path = c.endpoint.path + "/" + escapeKey(key)
		return t, nil
	}
	t.path = pathStyle(c.endpoint.path, bucket, key)
	return t, nil
}

// URL returns the address that requests for a bucket go to first.
func (c *Client) URL(bucket string) (string, error) {
	t, err := c.locate(bucket, "", c.region(bucket))
	if err != nil {
		return "", err
	}
	return t.scheme + "://" + t.host + t.path, nil
}

// pathStyle returns the path of a path-style request. It adds no slash after a bucket
// without a key, because some servers take "/bucket/" for an object with an empty key.
func pathStyle(prefix, bucket, key string) string {
	if key == "" {
		return prefix + "/" + bucket
	}
	return prefix + "/" + bucket + "/" + escapeKey(key)
}

// style returns the addressing style for a bucket. It is path-style for names that are
// not valid in a host name or not covered by a wildcard certificate.
func (c *Client) style(bucket string) Addressing {
	style := c.endpoint.style
	if c.virtualHost.Load() {
		style = AddressingVirtualHost
	}
	if style == AddressingVirtualHost && (!validHostLabel(bucket) ||
		c.endpoint.scheme == "https" && strings.Contains(bucket, ".")) {
		return AddressingPath
	}
	return style
}

func validHostLabel(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '.') {
			return false
		}
	}
	return len(s) <= 63 && !strings.HasPrefix(s, ".") && !strings.HasSuffix(s, ".") && !strings.Contains(s, "..")
}
