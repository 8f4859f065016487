package daemon

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/control"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/machine"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/metrics"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/fs"
)

// Monitoring holds the servers that show the state of a mount. The zero value has
// none.
type Monitoring struct {
	Control *control.Server // nil if there is no socket
	metrics *metrics.Server // nil unless --metrics
}

// monitored is the part of *fs.Mount that the servers need.
type monitored interface {
	Stats() fs.Stats
	Drain(ctx context.Context) error
}

// StartMonitoring starts the control socket and, if prometheus is not nil, the server
// of --metrics. A server that cannot start is logged, and the mount works without it.
func StartMonitoring(s *settings.Settings, m *machine.Machine, mount monitored, objects control.Objects, requests *control.Requests, features func() []control.Feature, prometheus net.Listener, log *slog.Logger) Monitoring {
	var e Monitoring
	status := statusOf(s, mount, requests, features)
	socket, err := openControl(m, s, mount, objects, status, log)
	if err != nil {
		log.Warn("s3mount status and s3mount sync cannot reach this mount", slog.Any("error", err))
	}
	e.Control = socket
	if prometheus == nil {
		return e
	}
	e.metrics, err = metrics.Serve(prometheus, metrics.Options{Status: status, Debug: s.Debug, Log: log})
	if err != nil {
		log.Warn("serve metrics", slog.Any("error", err))
		return e
	}
	log.Info("metrics are served", slog.String("url", "http://"+e.metrics.Addr()+"/metrics"))
	return e
}

// ListenForMetrics listens at the address of --metrics. It is called before anything
// is mounted, so that an address in use is an error of the command.
func ListenForMetrics(s *settings.Settings) (net.Listener, error) {
	if s.Metrics == "" {
		return nil, nil
	}
	l, err := metrics.Listen(s.Metrics)
	if err != nil {
		return nil, exit.Errorf(exit.Usage, "--metrics: %w", err)
	}
	return l, nil
}

// Close reports the result of the mount to its clients and closes the servers.
func (e Monitoring) Close(result error) {
	if e.Control != nil {
		e.Control.End(result)
	}
	if e.metrics != nil {
		e.metrics.Close()
	}
}

// statusOf returns the function that reads the status of a mount. The status contains
// no secrets of the settings.
func statusOf(s *settings.Settings, mount monitored, requests *control.Requests, features func() []control.Feature) func() control.Status {
	fixed := control.Status{
		API: control.Version, Program: s.Version, PID: os.Getpid(),
		Source: s.Source.Spec, Mountpoint: s.Mountpoint, Endpoint: s.S3.Endpoint,
		Durability: s.FS.Durability, ReadOnly: s.FS.ReadOnly, Started: time.Now(),
	}
	return func() control.Status {
		now := fixed
		now.Now, now.Stats, now.S3 = time.Now(), mount.Stats(), requests.Stats()
		now.Features = features()
		return now
	}
}

// openControl creates the control socket of the mount at s.Mountpoint.
func openControl(m *machine.Machine, s *settings.Settings, mount monitored, objects control.Objects, status func() control.Status, log *slog.Logger) (*control.Server, error) {
	// Only the parent is resolved: resolving the mountpoint itself could send a
	// request to the mount.
	parent, err := filepath.EvalSymlinks(filepath.Dir(s.Mountpoint))
	if err != nil {
		return nil, fmt.Errorf("find the mountpoint: %w", err)
	}
	at, ok, err := m.VisibleMount(filepath.Join(parent, filepath.Base(s.Mountpoint)))
	if err == nil && !ok { // the mountpoint is a link
		var real string
		if real, err = filepath.EvalSymlinks(s.Mountpoint); err == nil {
			at, ok, err = m.VisibleMount(real)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("find the mount: %w", err)
	}
	if !ok || !at.IsOurs() {
		return nil, fmt.Errorf("%s is covered by another mount", s.Mountpoint)
	}
	return control.Listen(control.Options{
		Dir: control.RuntimeDir(os.Geteuid(), os.Getenv), Name: control.SocketName(at.Major, at.Minor),
		Status: status, Stats: mount.Stats, Drain: mount.Drain, Log: log, Objects: objects,
	})
}
