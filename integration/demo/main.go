package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bucket is the bucket that the demo makes.
const bucket = "demo"

// demo is one run of the demo. start creates its directory, and stop finds it.
type demo struct{ dir string }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// The name depends on the user only, so that stop finds the demo.
	d := demo{filepath.Join(os.TempDir(), fmt.Sprintf("s3mount-demo-%d", os.Getuid()))}
	switch {
	case len(args) == 1 && args[0] == "start":
		return d.start()
	case len(args) == 1 && args[0] == "stop":
		return d.stop()
	case len(args) == 2 && args[0] == "record":
		return d.record(args[1])
	}
	return errors.New("usage: demo start, demo stop or demo record DIR")
}

func (d demo) path(name string) string { return filepath.Join(d.dir, name) }
func (d demo) mountpoint() string      { return d.path("mnt") }
func (d demo) data() string            { return d.path("data") }
func (d demo) pidFile() string         { return d.path("versitygw.pid") }
func (d demo) serverLog() string       { return d.path("versitygw.log") }
func (d demo) mountLog() string        { return d.path("s3mount.log") }
