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

// Eyes are the servers that show the state of a mount. The zero value has none.
type Eyes struct {
	Control *control.Server // nil if there is no socket
	metrics *metrics.Server // nil unless --metrics
}

// watched is what a mounted filesystem shows, as *fs.Mount does.
type watched interface {
	Stats() fs.Stats
	Drain(ctx context.Context) error
}

// OpenEyes lets others see the mount. Where that is not possible the mount works
// all the same, and the log says why nobody sees it.
// prometheus is the listener of --metrics; nil is none.
func OpenEyes(s *settings.Settings, m *machine.Machine, mount watched, requests *control.Requests, features func() []control.Feature, prometheus net.Listener, log *slog.Logger) Eyes {
	var e Eyes
	status := statusOf(s, mount, requests, features)
	socket, err := openControl(m, s, mount, status, log)
	if err != nil {
		log.Warn("s3mount status and sync will not reach this mount", slog.Any("error", err))
	}
	e.Control = socket
	if prometheus == nil {
		return e
	}
	e.metrics, err = metrics.Serve(prometheus, metrics.Options{Status: status, Debug: s.Debug, Log: log})
	if err != nil {
		log.Warn("there are no metrics of this mount", slog.Any("error", err))
		return e
	}
	log.Info("Prometheus is answered", slog.String("url", "http://"+e.metrics.Addr()+"/metrics"))
	return e
}

// ListenForMetrics takes the address of --metrics, before anything is mounted.
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
func (e Eyes) Close(result error) {
	if e.Control != nil {
		e.Control.End(result)
	}
	if e.metrics != nil {
		e.metrics.Close()
	}
}

// statusOf makes the function that reads the status of a mount. What it tells of
// the settings has no secret in it.
func statusOf(s *settings.Settings, mount watched, requests *control.Requests, features func() []control.Feature) func() control.Status {
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

// openControl makes the control socket of the mount that is at s.mountpoint.
func openControl(m *machine.Machine, s *settings.Settings, mount watched, status func() control.Status, log *slog.Logger) (*control.Server, error) {
	// The name of the mountpoint itself may be asked of the mount; those above
	// it may be links.
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
		return nil, fmt.Errorf("%s is mounted over already", s.Mountpoint)
	}
	return control.Listen(control.Options{
		Dir: control.RuntimeDir(os.Geteuid(), os.Getenv), Name: control.SocketName(at.Major, at.Minor),
		Status: status, Stats: mount.Stats, Drain: mount.Drain, Log: log,
	})
}
