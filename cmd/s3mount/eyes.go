package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/metrics"
	"github.com/s3mount/s3mount/fs"
)

// eyes are those whom a mount tells what it does. The zero value is nobody.
type eyes struct {
	control *control.Server // nil if there is no socket
	metrics *metrics.Server // nil unless --metrics
}

// watched is what a mounted filesystem shows, as *fs.Mount does.
type watched interface {
	Stats() fs.Stats
	Drain(ctx context.Context) error
}

// openEyes lets others see the mount. Where that is not possible the mount works
// all the same, and the log says why nobody sees it.
// prometheus is the listener of --metrics; nil is none.
func openEyes(s *settings, m *machine, mount watched, requests *control.Requests, features func() []control.Feature, prometheus net.Listener, log *slog.Logger) eyes {
	var e eyes
	status := statusOf(s, mount, requests, features)
	socket, err := openControl(m, s, mount, status, log)
	if err != nil {
		log.Warn("s3mount status and sync will not reach this mount", slog.Any("error", err))
	}
	e.control = socket
	if prometheus == nil {
		return e
	}
	e.metrics, err = metrics.Serve(prometheus, metrics.Options{Status: status, Debug: s.debug, Log: log})
	if err != nil {
		log.Warn("there are no metrics of this mount", slog.Any("error", err))
		return e
	}
	log.Info("Prometheus is answered", slog.String("url", "http://"+e.metrics.Addr()+"/metrics"))
	return e
}

// listenForMetrics takes the address of --metrics, before anything is mounted.
func listenForMetrics(s *settings) (net.Listener, error) {
	if s.metrics == "" {
		return nil, nil
	}
	l, err := metrics.Listen(s.metrics)
	if err != nil {
		return nil, fail(exitUsage, "--metrics: %w", err)
	}
	return l, nil
}

// close tells everybody how the mount ended.
func (e eyes) close(result error) {
	if e.control != nil {
		e.control.End(result)
	}
	if e.metrics != nil {
		e.metrics.Close()
	}
}

// statusOf makes the function that reads the status of a mount. What it tells of
// the settings has no secret in it.
func statusOf(s *settings, mount watched, requests *control.Requests, features func() []control.Feature) func() control.Status {
	fixed := control.Status{
		API: control.Version, Program: s.version, PID: os.Getpid(),
		Source: s.source.spec, Mountpoint: s.mountpoint, Endpoint: s.s3.Endpoint,
		Durability: s.fs.Durability, ReadOnly: s.fs.ReadOnly, Started: time.Now(),
	}
	return func() control.Status {
		now := fixed
		now.Now, now.Stats, now.S3 = time.Now(), mount.Stats(), requests.Stats()
		now.Features = features()
		return now
	}
}

// openControl makes the control socket of the mount that is at s.mountpoint.
func openControl(m *machine, s *settings, mount watched, status func() control.Status, log *slog.Logger) (*control.Server, error) {
	// The name of the mountpoint itself may be asked of the mount; those above
	// it may be links.
	parent, err := filepath.EvalSymlinks(filepath.Dir(s.mountpoint))
	if err != nil {
		return nil, fmt.Errorf("find the mountpoint: %w", err)
	}
	at, ok, err := m.visibleMount(filepath.Join(parent, filepath.Base(s.mountpoint)))
	if err == nil && !ok { // the mountpoint is a link
		var real string
		if real, err = filepath.EvalSymlinks(s.mountpoint); err == nil {
			at, ok, err = m.visibleMount(real)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the mount: %w", err)
	}
	if !ok || !at.isOurs() {
		return nil, fmt.Errorf("%s is mounted over already", s.mountpoint)
	}
	return control.Listen(control.Options{
		Dir: control.RuntimeDir(os.Geteuid(), os.Getenv), Name: control.SocketName(at.major, at.minor),
		Status: status, Stats: mount.Stats, Drain: mount.Drain, Log: log,
	})
}
