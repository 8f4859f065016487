package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// bucket is the bucket that the demo makes.
const bucket = "demo"

// demo is one run, made by start and found again by stop.
type demo struct{ dir string }

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "demo: %v\n", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	// One demo per user: stop finds it by nothing but this name.
	d := demo{filepath.Join(os.TempDir(), fmt.Sprintf("s3mount-demo-%d", os.Getuid()))}
	switch {
	case len(args) == 1 && args[0] == "start":
		return d.start()
	case len(args) == 1 && args[0] == "stop":
		return d.stop()
	}
	return errors.New("say start or stop")
}

func (d demo) path(name string) string { return filepath.Join(d.dir, name) }
func (d demo) mountpoint() string      { return d.path("mnt") }
func (d demo) data() string            { return d.path("data") }
func (d demo) pidFile() string         { return d.path("versitygw.pid") }
func (d demo) serverLog() string       { return d.path("versitygw.log") }
func (d demo) mountLog() string        { return d.path("s3mount.log") }
