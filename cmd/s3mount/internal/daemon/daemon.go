package daemon

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
)

// statusVariable passes the number of the pipe's descriptor to the child. It does not
// have the prefix of the options, because it is not an option.
const statusVariable = "_S3MOUNT_STATUS_FD"

// statusDescriptor is the number that os/exec gives to the first extra file.
const statusDescriptor = 3

// report is one line that the child sends to its parent, as JSON. The last one
// has either Mounted or Error.
type report struct {
	Note    string `json:"note,omitempty"` // a message for the user
	Mounted bool   `json:"mounted,omitempty"`
	Error   string `json:"error,omitempty"`
	Code    int    `json:"code,omitempty"` // exit code that goes with Error
}

// Background starts the command again in the background and waits until it has mounted or
// failed. It forwards signals to the child. Only the report of the child ends the wait.
func Background(stderr io.Writer) error {
	exe, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find the program's file: %w", err)
	}
	r, w, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make a pipe: %w", err)
	}
	defer r.Close()
	child := exec.Command(exe, os.Args[1:]...)
	child.Args[0] = os.Args[0] // the helper of mount(8) is recognised by its name
	child.Env = append(os.Environ(), statusVariable+"="+strconv.Itoa(statusDescriptor))
	child.ExtraFiles = []*os.File{w}
	child.Stderr = os.Stderr // until it has mounted, so that a crash is seen

	// The child must not inherit other open descriptors, such as the pipe of a script
	// or the lock of flock(1): it would keep them open. Kernels before 5.11 lack this
	// flag, and the child inherits them.
	_ = unix.CloseRange(statusDescriptor, math.MaxUint32, unix.CLOSE_RANGE_CLOEXEC)

	signals := make(chan os.Signal, 1)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM)
	defer signal.Stop(signals)
	if err := child.Start(); err != nil {
		w.Close()
		return fmt.Errorf("start in the background: %w", err)
	}
	w.Close()
	go func() {
		for sig := range signals {
			// This fails if the child has ended, and then its report arrives.
			_ = child.Process.Signal(sig)
		}
	}()
	if err := waitReport(r, stderr); err != nil {
		// The child ends by itself. Waiting removes the zombie, which no init might
		// do. Its status contains nothing that the report lacks.
		_ = child.Wait()
		return err
	}
	return nil
}

// waitReport reads the reports of the child until it has mounted or failed.
func waitReport(r io.Reader, stderr io.Writer) error {
	lines := bufio.NewScanner(r)
	for lines.Scan() {
		var got report
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			return fmt.Errorf("read the report from the background: %w", err)
		}
		switch {
		case got.Mounted:
			return nil
		case got.Error != "":
			return &exit.Error{Code: got.Code, Err: errors.New(got.Error)}
		case got.Note != "":
			fmt.Fprintf(stderr, "s3mount: %s\n", text.Lines(got.Note))
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read the report from the background: %w", err)
	}
	return errors.New("the process in the background ended before it had mounted; --foreground shows the reason")
}

// Reporter is the child's end of the pipe. In the foreground there is no pipe: then notes
// are written to stderr, and errors are returned.
type Reporter struct {
	pipe   *os.File // nil in the foreground
	Stderr io.Writer
}

// OpenReporter opens the pipe if this process was started by Background.
func OpenReporter(stderr io.Writer) (*Reporter, error) {
	value, ok := os.LookupEnv(statusVariable)
	if !ok {
		return &Reporter{Stderr: stderr}, nil
	}
	fd, err := strconv.Atoi(value)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", statusVariable, err)
	}
	// Programs that this process starts must not inherit the variable or the pipe,
	// because the parent would wait for them.
	if err := os.Unsetenv(statusVariable); err != nil {
		return nil, fmt.Errorf("unset %s: %w", statusVariable, err)
	}
	unix.CloseOnExec(fd)
	return &Reporter{pipe: os.NewFile(uintptr(fd), "status"), Stderr: stderr}, nil
}

// InBackground reports whether a parent waits for reports.
func (p *Reporter) InBackground() bool { return p.pipe != nil }

// Note shows the user a message. The start continues.
func (p *Reporter) Note(note string) {
	if p.pipe == nil {
		fmt.Fprintf(p.Stderr, "s3mount: %s\n", text.Lines(note))
		return
	}
	p.send(report{Note: note})
}

// Failed sends the error to the parent, which prints it and exits with its code. Without a
// parent it returns the error.
func (p *Reporter) Failed(err error) error {
	if p.pipe == nil {
		return err
	}
	p.send(report{Error: err.Error(), Code: exit.Code(err)})
	return &exit.Error{Code: exit.Code(err), Err: exit.ErrReported}
}

// send writes one report. It ignores errors, because the parent may have been killed.
func (p *Reporter) send(r report) {
	line, err := json.Marshal(r)
	if err == nil {
		_, _ = p.pipe.Write(append(line, '\n'))
	}
}

// Mounted leaves the parent's session, directory and files, and reports the mount. It is
// called after the mount, because before that an automounter lets only its own process
// group access the mountpoint.
func (p *Reporter) Mounted() error {
	if p.pipe == nil {
		return nil
	}
	if _, err := unix.Setsid(); err != nil {
		return fmt.Errorf("leave the session: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return fmt.Errorf("leave the directory: %w", err)
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer null.Close()
	for fd := range statusDescriptor {
		if err := unix.Dup3(int(null.Fd()), fd, 0); err != nil {
			return fmt.Errorf("close the standard files: %w", err)
		}
	}
	p.send(report{Mounted: true})
	err = p.pipe.Close()
	p.pipe = nil
	return err
}
