package harness

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// Relay starts a reverse proxy in front of a server. instead may answer a request
// itself and then returns true. The server answers all other requests. Requests keep
// their Host header, which is part of the signature.
func (w *World) Relay(t testing.TB, endpoint string, instead func(http.ResponseWriter, *http.Request) bool) (relayed string) {
	t.Helper()
	target, err := url.Parse(endpoint)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(target)
		r.Out.Host = r.In.Host
	}}
	srv := httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if !instead(out, r) {
			proxy.ServeHTTP(out, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
