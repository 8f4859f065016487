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
	// headerPatience bounds how long a client may take to say what it wants.
	headerPatience = 10 * time.Second
	// farewell bounds how long the end waits for a scrape under way.
	farewell = time.Second
)

// Options of a Server.
type Options struct {
	Status func() control.Status
	Debug  bool // serve /debug/pprof/, too
	Log    *slog.Logger
}

// Server answers Prometheus.
type Server struct {
	http *http.Server
	addr net.Addr
}

// Address reads host:port, :port or a port. Without a host it is the loopback
// interface: 0.0.0.0 or [::] must be said.
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

// Listen takes an address, see Address, that Serve will answer on.
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

// Serve answers on l until Close.
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
			o.Log.Error("no metrics any more", slog.Any("error", err))
		}
	}()
	return s, nil
}

// Addr is where it listens.
func (s *Server) Addr() string { return s.addr.String() }

// Close ends it.
func (s *Server) Close() {
	ctx, stop := context.WithTimeout(context.Background(), farewell)
	defer stop()
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close() // it had its time
	}
}
