package control

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/fs"
)

const (
	// progressTick is the time between two lines of progress. A terminal draws progress
	// as often.
	progressTick = 200 * time.Millisecond
	// headerPatience limits the time for the header of a request.
	headerPatience = 10 * time.Second
	// farewell limits the time for the last answers to clients that wait for the end.
	farewell = 2 * time.Second
)

// Options configures a Server.
type Options struct {
	Dir  string // the runtime directory; created if it does not exist
	Name string // of the socket, see SocketName

	Status func() Status
	Stats  func() fs.Stats                 // the part of Status that changes
	Drain  func(ctx context.Context) error // returns when S3 holds everything
	Log    *slog.Logger

	Objects Objects // nil: requests about objects are not answered
}

// Server serves the socket of one mount.
type Server struct {
	o    Options
	dir  *os.File
	made os.FileInfo // the socket
	http *http.Server

	end    sync.Once
	ended  chan struct{} // closed by End
	result error         // of the mount; read after ended
	served chan struct{} // closed when no more connections are accepted
}

// Listen creates the socket and serves it until End.
func Listen(o Options) (*Server, error) {
	dir, err := makeDir(o.Dir)
	if err != nil {
		return nil, err
	}
	s := &Server{o: o, dir: dir, ended: make(chan struct{}), served: make(chan struct{})}
	var l *net.UnixListener
	if err := s.locked(func() (err error) {
		l, err = s.bind()
		return err
	}); err != nil {
		dir.Close()
		return nil, err
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+pathStatus, s.status)
	mux.HandleFunc("POST "+pathSync, s.sync)
	mux.HandleFunc("GET "+pathWait, s.wait)
	if o.Objects != nil {
		mux.HandleFunc("GET "+pathObject, s.describe)
		mux.HandleFunc("POST "+pathRestore, s.restore)
	}
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: headerPatience,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener{l, o.Log}) // returns when End closes it
	}()
	return s, nil
}

// bind creates the socket. The caller holds the lock of the directory.
func (s *Server) bind() (*net.UnixListener, error) {
	path := under(s.dir, s.o.Name)
	// A socket with this device number belongs to a mount that has ended or is ending.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the control socket in %s: %w", s.o.Dir, err)
	}
	l.SetUnlinkOnClose(false) // another mount may use the name by then
	if err = os.Chmod(path, 0o600); err == nil {
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("close the control socket to others: %w", err), l.Close())
	}
	return l, nil
}

// unlink removes the socket. It keeps the socket of a later mount to which the kernel gave
// the same device number.
func (s *Server) unlink() error {
	path := under(s.dir, s.o.Name)
	now, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) || err == nil && !os.SameFile(now, s.made) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Remove(path)
}

// locked runs change while it holds the lock for sockets of the directory.
func (s *Server) locked(change func() error) error {
	fd := int(s.dir.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the runtime directory: %w", err)
	}
	defer unix.Flock(fd, unix.LOCK_UN)
	return change()
}

// End reports the result of the mount to waiting clients, and removes the socket.
func (s *Server) End(result error) {
	s.end.Do(func() {
		s.result = result
		close(s.ended)
		ctx, stop := context.WithTimeout(context.Background(), farewell)
		defer stop()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // the time is over
		}
		<-s.served
		if err := s.locked(s.unlink); err != nil {
			s.o.Log.Warn("remove the control socket", slog.Any("error", err))
		}
		_ = s.dir.Close()
	})
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.o.Status()) // an error means that the client has gone
}

func (s *Server) sync(w http.ResponseWriter, r *http.Request) {
	done := make(chan error, 1)
	go func() { done <- s.o.Drain(r.Context()) }()
	s.follow(w, r, done)
}

func (s *Server) wait(w http.ResponseWriter, r *http.Request) {
	s.follow(w, r, nil)
}

// follow writes lines of progress until done delivers a result, the mount has ended or the
// client has gone.
func (s *Server) follow(w http.ResponseWriter, r *http.Request, done <-chan error) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	lines := json.NewEncoder(w)
	send := func(p Progress) bool {
		return lines.Encode(p) == nil && http.NewResponseController(w).Flush() == nil
	}
	tick := time.NewTicker(progressTick)
	defer tick.Stop()
	for send(progressOf(s.o.Stats())) {
		select {
		case <-tick.C:
		case err := <-done:
			send(last(progressOf(s.o.Stats()), err))
			return
		case <-s.ended:
			if done != nil {
				// The end of a mount also writes everything.
				select {
				case <-done:
				case <-r.Context().Done():
					return
				}
			}
			send(last(Progress{}, s.result))
			return
		case <-r.Context().Done():
			return
		}
	}
}

// last returns p as the last line.
func last(p Progress, err error) Progress {
	p.Done = true
	if err != nil {
		p.Error = err.Error()
		_, p.Kept = err.(*fs.KeptError) // an error that wraps a KeptError may contain other errors
	}
	return p
}
