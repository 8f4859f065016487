package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
)

const (
	// headerPatience limits the time for the header of a request.
	headerPatience = 10 * time.Second
	// farewell limits the time that Close waits for a scrape in progress.
	farewell = time.Second
)

// Options configures a Server.
type Options struct {
	Status func() control.Status
	Debug  bool // also serve /debug/pprof/
	Log    *slog.Logger
}

// Server serves metrics over HTTP.
type Server struct {
	http *http.Server
	addr net.Addr
}

// Address parses host:port, :port or a port. Without a host it returns the loopback
// interface. All interfaces must be given explicitly as 0.0.0.0 or [::].
func Address(text string) (string, error) {
	if !isPort(text) {
		host, port, err := net.SplitHostPort(text)
		if err != nil || !isPort(port) {
			return "", fmt.Errorf("%q is neither a port nor host:port", text)
		}
		if host != "" {
			return text, nil
		}
		text = port
	}
	return net.JoinHostPort("127.0.0.1", text), nil
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && strconv.FormatUint(n, 10) == text
}

// Listen listens at an address in the form of Address, for Serve.
func Listen(text string) (net.Listener, error) {
	addr, err := Address(text)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listen for Prometheus: %w", err)
	}
	return l, nil
}

// Serve serves requests on l until Close.
func Serve(l net.Listener, o Options) (*Server, error) {
	registry, err := newRegistry(o.Status)
	if err != nil {
		return nil, err
	}
	errorLog := slog.NewLogLogger(o.Log.Handler(), slog.LevelWarn)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorLog: errorLog}))
	if o.Debug {
		mux.HandleFunc("GET /debug/pprof/", pprof.Index)
		mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
		mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
		mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
		mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	}
	s := &Server{addr: l.Addr(), http: &http.Server{Handler: mux, ReadHeaderTimeout: headerPatience, ErrorLog: errorLog}}
	go func() {
		if err := s.http.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			o.Log.Error("serve metrics", slog.Any("error", err))
		}
	}()
	return s, nil
}

// Addr returns the address of the listener.
func (s *Server) Addr() string { return s.addr.String() }

// Close stops the server.
func (s *Server) Close() {
	ctx, stop := context.WithTimeout(context.Background(), farewell)
	defer stop()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // the time is over
	}
}
