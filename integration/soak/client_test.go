package soak

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

const (
	registers = 3
	// exclusives is the number of names that all clients try to create in a round.
	exclusives = 6
	counter    = "counter"
	lockName   = "counter.lock"
	lockedName = "locked"
)

// event is a line of a client's history.
type event struct {
	access
	Kind  string // one of the kinds below
	Name  string
	Errno string `json:",omitempty"`
	Wrong string `json:",omitempty"`
}

// The kinds of events.
const (
	kindRegister  = "register"
	kindAppend    = "append"
	kindLock      = "lock" // Start is when the lock was held, End when its release began
	kindExclusive = "exclusive"
)

// client uses the files that all mounts share.
type client struct {
	dir, id string
	rand    *rand.Rand
	history *json.Encoder
	values  int
}

// clientOp is the process of a client. Its arguments are the directory, the file
// of the history, the id, the seed and the number of operations.
func clientOp(args []string) error {
	seed, err := strconv.ParseUint(args[3], 10, 64)
	if err != nil {
		return err
	}
	count, err := strconv.Atoi(args[4])
	if err != nil {
		return err
	}
	f, err := os.Create(args[1])
	if err != nil {
		return err
	}
	defer f.Close()
	c := &client{dir: args[0], id: args[2], rand: rand.New(rand.NewPCG(seed, 4)), history: json.NewEncoder(f)}
	for i := range exclusives {
		if err := c.exclusive(fmt.Sprintf("exclusive-%d", i)); err != nil {
			return err
		}
	}
	for range count {
		if err := c.step(); err != nil {
			return err
		}
	}
	return nil
}

// now returns the time of a clock that all processes share.
func now() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &ts) // never fails
	return ts.Nano()
}

func (c *client) step() error {
	register := fmt.Sprintf("register-%d", c.rand.IntN(registers))
	switch n := c.rand.IntN(10); {
	case n < 4:
		return c.readRegister(register)
	case n < 6:
		return c.writeRegister(register)
	case n == 6:
		return c.replaceRegister(register)
	case n == 7:
		return c.lock()
	}
	return c.appendCounter()
}

// value returns a new unique value.
func (c *client) value() string {
	c.values++
	return fmt.Sprintf("%s.%d", c.id, c.values)
}

// content is a file that holds a value many times, so that a mixture shows.
func content(value string, times int) string { return strings.Repeat(value+"\n", times) }

// valueOf returns the value of a file, or an error if it holds several.
func valueOf(b []byte) (string, error) {
	value, _, _ := strings.Cut(string(b), "\n")
	if value == "" || string(b) != content(value, len(b)/(len(value)+1)) {
		return "", fmt.Errorf("%d bytes are no version of the file: %.40q", len(b), b)
	}
	return value, nil
}

func (c *client) record(e event, start int64, err error) error {
	e.Start, e.End, e.Errno = start, now(), errnoName(err)
	return c.history.Encode(e)
}

func (c *client) readRegister(name string) error {
	e := event{Kind: kindRegister, Name: name}
	start := now()
	b, err := os.ReadFile(filepath.Join(c.dir, name))
	if err == nil {
		var bad error
		if e.Value, bad = valueOf(b); bad != nil {
			e.Wrong = bad.Error()
		}
	}
	return c.record(e, start, err)
}

func (c *client) writeRegister(name string) error {
	e := event{Kind: kindRegister, Name: name, access: access{Write: true, Value: c.value()}}
	body := []byte(content(e.Value, 1+c.rand.IntN(4000)))
	start := now()
	return c.record(e, start, os.WriteFile(filepath.Join(c.dir, name), body, 0o644))
}

// replaceRegister writes a new file and renames it over the register.
func (c *client) replaceRegister(name string) error {
	e := event{Kind: kindRegister, Name: name, access: access{Write: true, Value: c.value()}}
	body := []byte(content(e.Value, 1+c.rand.IntN(4000)))
	temporary := filepath.Join(c.dir, "new-"+e.Value)
	start := now()
	err := os.WriteFile(temporary, body, 0o644)
	if err == nil {
		err = os.Rename(temporary, filepath.Join(c.dir, name))
	}
	return c.record(e, start, err)
}

func (c *client) appendCounter() error {
	e := event{Kind: kindAppend, Name: counter, access: access{Write: true, Value: c.value()}}
	start := now()
	return c.record(e, start, appendTo(filepath.Join(c.dir, counter), []byte(e.Value+"\n")))
}

// lock tries to take the lock file, and increments a number while it has it. It has
// the lock when the close of the new file has returned 0.
func (c *client) lock() error {
	e := event{Kind: kindLock, Name: lockName}
	lock := filepath.Join(c.dir, lockName)
	f, err := os.OpenFile(lock, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(c.value())
		err = errors.Join(err, f.Close())
	}
	start := now()
	if err != nil {
		return c.record(e, start, err)
	}
	e.Write = true
	if err := increment(filepath.Join(c.dir, lockedName)); err != nil {
		e.Wrong = "while the lock is held: " + err.Error()
	}
	if err := c.record(e, start, nil); err != nil {
		return err
	}
	return os.Remove(lock)
}

func increment(file string) error {
	b, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(string(b))
	if err != nil {
		return err
	}
	return os.WriteFile(file, []byte(strconv.Itoa(n+1)), 0o644)
}

// exclusive tries to create a file that the other clients try to create as well.
func (c *client) exclusive(name string) error {
	e := event{Kind: kindExclusive, Name: name, access: access{Value: c.value()}}
	start := now()
	f, err := os.OpenFile(filepath.Join(c.dir, name), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(e.Value)
		err = errors.Join(err, f.Close())
	}
	e.Write = err == nil
	return c.record(e, start, err)
}
