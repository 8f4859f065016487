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
	// progressTick is how often a client that waits hears how far things are:
	// as often as a bar on a terminal is drawn.
	progressTick = 200 * time.Millisecond
	// headerPatience bounds how long a client may take to say what it wants.
	headerPatience = 10 * time.Second
	// farewell bounds how long the end of the process waits until those who
	// wait for it have heard of it.
	farewell = 2 * time.Second
)

// Options of a Server.
type Options struct {
	Dir  string // the runtime directory; it is made if it does not exist
	Name string // of the socket, see SocketName

	Status func() Status
	Stats  func() fs.Stats                 // the part of Status that moves
	Drain  func(ctx context.Context) error // returns when S3 holds everything
	Log    *slog.Logger
}

// Server answers on the socket of one mount.
type Server struct {
	o    Options
	dir  *os.File
	made os.FileInfo // the socket
	http *http.Server

	end    sync.Once
	ended  chan struct{} // closed by End
	result error         // of the mount; read after ended
	served chan struct{} // closed when nobody accepts any more
}

// Listen makes the socket and answers on it until End.
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
	s.http = &http.Server{Handler: mux, ReadHeaderTimeout: headerPatience,
		ErrorLog: slog.NewLogLogger(o.Log.Handler(), slog.LevelDebug)}
	go func() {
		defer close(s.served)
		_ = s.http.Serve(listener{l, o.Log}) // returns when End closes it
	}()
	return s, nil
}

// bind makes the socket. The caller has the lock.
func (s *Server) bind() (*net.UnixListener, error) {
	path := under(s.dir, s.o.Name)
	// The device number is ours now: whoever had it is gone, or about to be.
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("remove an old socket: %w", err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("make the control socket in %s: %w", s.o.Dir, err)
	}
	l.SetUnlinkOnClose(false) // the name may be another mount's by then
	if err = os.Chmod(path, 0o600); err == nil {
		s.made, err = os.Lstat(path)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("close the control socket to others: %w", err), l.Close())
	}
	return l, nil
}

// unlink takes the socket away, but not one that another mount has made since
// under the device number that it got from the kernel.
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

// locked keeps other processes from changing sockets of the directory.
func (s *Server) locked(change func() error) error {
	fd := int(s.dir.Fd())
	if err := unix.Flock(fd, unix.LOCK_EX); err != nil {
		return fmt.Errorf("lock the runtime directory: %w", err)
	}
	defer unix.Flock(fd, unix.LOCK_UN)
	return change()
}

// End reports the result of the mount to the clients that wait and removes the socket.
func (s *Server) End(result error) {
	s.end.Do(func() {
		s.result = result
		close(s.ended)
		ctx, stop := context.WithTimeout(context.Background(), farewell)
		defer stop()
		if s.http.Shutdown(ctx) != nil {
			_ = s.http.Close() // they had their time
		}
		<-s.served
		if err := s.locked(s.unlink); err != nil {
			s.o.Log.Warn("cannot take the control socket away", slog.Any("error", err))
		}
		_ = s.dir.Close()
	})
}

func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(s.o.Status()) // the client has gone
}

func (s *Server) sync(w http.ResponseWriter, r *http.Request) {
	done := make(chan error, 1)
	go func() { done <- s.o.Drain(r.Context()) }()
	s.follow(w, r, done)
}

func (s *Server) wait(w http.ResponseWriter, r *http.Request) {
	s.follow(w, r, nil)
}

// follow writes progress until something is done, the mount has ended or the
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
				// The end of a mount writes everything, too.
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

// last makes p the last line.
func last(p Progress, err error) Progress {
	p.Done = true
	if err != nil {
		p.Error = err.Error()
		_, p.Kept = err.(*fs.KeptError) // joined with another error it is not alone
	}
	return p
}
