package control

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// errTooLong is the error of an answer that is too long to come from a mount.
var errTooLong = fmt.Errorf("the answer has more than %d MiB", maxAnswer>>20)

// ErrNoSocket means that the mount has no control socket, or that its process has ended.
var ErrNoSocket = errors.New("the mount does not answer on a control socket")

const (
	// maxAnswer limits an answer, or a line of it. A status has less than 4 KiB, and a
	// key of up to 6 KiB in JSON for each file that is being uploaded.
	maxAnswer = 4 << 20
	// maxAnswerHeader is many times the size of the header of a mount.
	maxAnswerHeader = 16 << 10
)

// statusPatience limits the wait for a status. The process answers it without any I/O.
const statusPatience = 10 * time.Second

// Target identifies a mount.
type Target struct {
	Major, Minor uint32 // its device number
	UID          int    // the user that mounted it
}

// Client sends requests to one mount.
type Client struct {
	dir  *os.File
	http *http.Client
}

// Dial connects to the socket of a mount and checks that it belongs to the user of the
// mount. The error is ErrNoSocket if there is none.
func Dial(t Target, getenv func(string) string) (*Client, error) {
	err := ErrNoSocket
	for _, path := range dirsOf(t.UID, getenv) {
		c, why := dial(path, t)
		if why == nil {
			return c, nil
		}
		if !errors.Is(why, os.ErrNotExist) && !errors.Is(why, os.ErrPermission) {
			err = why // a directory or a socket that failed a check
		}
	}
	return nil, err
}

func dial(path string, t Target) (*Client, error) {
	owners := []int{t.UID, 0}
	dir, err := openDir(path, owners...)
	if err != nil {
		return nil, err
	}
	socket := under(dir, SocketName(t.Major, t.Minor))
	connect := func(ctx context.Context) (net.Conn, error) {
		var st unix.Stat_t
		if err := unix.Lstat(socket, &st); err != nil {
			return nil, &os.PathError{Op: "look for a socket in", Path: path, Err: err}
		}
		if st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			return nil, fmt.Errorf("%s in %s is no socket", SocketName(t.Major, t.Minor), path)
		}
		if err := checkOwner("the control socket in "+path, st, owners); err != nil {
			return nil, err
		}
		c, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
		if errors.Is(err, unix.ECONNREFUSED) {
			return nil, fmt.Errorf("%w: its process is gone", ErrNoSocket)
		}
		if err != nil {
			return nil, fmt.Errorf("connect to the mount: %w", err)
		}
		if uid, err := peerOf(c.(*net.UnixConn)); err != nil || uid != t.UID && uid != 0 {
			c.Close()
			return nil, fmt.Errorf("user %d answers for a mount of user %d: refused", uid, t.UID)
		}
		return c, nil
	}
	// Connect once now, so that Dial can try another directory.
	c, err := connect(context.Background())
	if err != nil {
		dir.Close()
		return nil, err
	}
	c.Close()
	return &Client{dir: dir, http: &http.Client{Transport: &http.Transport{
		MaxResponseHeaderBytes: maxAnswerHeader,
		DialContext:            func(ctx context.Context, _, _ string) (net.Conn, error) { return connect(ctx) },
	}}}, nil
}

// Close closes the connection.
func (c *Client) Close() {
	c.http.CloseIdleConnections()
	c.dir.Close()
}

// Status asks for the status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	ctx, stop := context.WithTimeout(ctx, statusPatience)
	defer stop()
	var s Status
	body, err := c.ask(ctx, http.MethodGet, pathStatus)
	if err != nil {
		return s, err
	}
	defer body.Close()
	answer, err := io.ReadAll(io.LimitReader(body, maxAnswer+1))
	if err == nil && len(answer) > maxAnswer {
		err = errTooLong
	}
	if err == nil {
		err = json.Unmarshal(answer, &s)
	}
	if err != nil {
		return Status{}, fmt.Errorf("read the mount's status: %w", err)
	}
	return s, nil
}

// Sync returns when S3 holds everything that was written before the call. show
// hears how far that is.
func (c *Client) Sync(ctx context.Context, show func(Progress)) error {
	f, err := c.follow(ctx, http.MethodPost, pathSync)
	if err != nil {
		return err
	}
	return f.Wait(show)
}

// Ending subscribes to the end of the mount. A caller that ends the mount subscribes
// before, so that it cannot miss the result.
func (c *Client) Ending(ctx context.Context) (*Following, error) {
	return c.follow(ctx, http.MethodGet, pathWait)
}

// Following is a request that the mount answers line by line.
type Following struct{ body io.ReadCloser }

func (c *Client) follow(ctx context.Context, method, path string) (*Following, error) {
	body, err := c.ask(ctx, method, path)
	if err != nil {
		return nil, err
	}
	return &Following{body}, nil
}

// MountError is an error that the mount reports.
type MountError struct {
	Message string
	Kept    bool // S3 refused the data, the recovery directory has it, and nothing is left to write
}

func (e *MountError) Error() string { return e.Message }

// Wait returns when the request is complete. The error is a *MountError if the mount
// reports a failure.
func (f *Following) Wait(show func(Progress)) error {
	defer f.body.Close()
	lines := bufio.NewScanner(f.body)
	lines.Buffer(nil, maxAnswer)
	for {
		var p Progress
		if err := nextLine(lines, &p); err != nil {
			return fmt.Errorf("the process of the mount has ended without a result: %w", err)
		}
		switch {
		case p.Done && p.Error != "":
			return &MountError{p.Error, p.Kept}
		case p.Done:
			return nil
		}
		show(p)
	}
}

// nextLine decodes the next line. The error is io.ErrUnexpectedEOF if there is none.
func nextLine(lines *bufio.Scanner, p *Progress) error {
	switch {
	case lines.Scan():
		return json.Unmarshal(lines.Bytes(), p)
	case errors.Is(lines.Err(), bufio.ErrTooLong):
		return errTooLong
	case lines.Err() != nil:
		return lines.Err()
	}
	return io.ErrUnexpectedEOF
}

// Close cancels the request.
func (f *Following) Close() { f.body.Close() }

func (c *Client) ask(ctx context.Context, method, path string) (io.ReadCloser, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://s3mount"+path, nil)
	if err != nil {
		return nil, fmt.Errorf("ask the mount: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, fmt.Errorf("ask the mount: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, fmt.Errorf("the mount does not know the request %s: it runs another version of s3mount", path)
	}
	return resp.Body, nil
}
