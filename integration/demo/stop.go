package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// stop ends the demo. It keeps the directory while something is mounted in it.
func (d demo) stop() error {
	if _, err := os.Stat(d.dir); errors.Is(err, os.ErrNotExist) {
		fmt.Println("There is no demo to stop.")
		return nil
	}
	if err := d.unmount(); err != nil {
		return err
	}
	if err := d.stopServer(); err != nil {
		return err
	}
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("remove the demo: %w", err)
	}
	fmt.Println("The demo is stopped and removed.")
	return nil
}

func (d demo) unmount() error {
	mounts, err := harness.FuseMounts(d.dir)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if d.unmountWritten(m.Dir) == nil {
			continue
		}
		command := []string{"fusermount3", "-u", m.Dir}
		if os.Geteuid() == 0 {
			command = []string{"umount", m.Dir}
		}
		ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
		defer cancel()
		if out, err := exec.CommandContext(ctx, command[0], command[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("unmount: %w: %s", err, out)
		}
	}
	return nil
}

// unmountWritten unmounts and waits until S3 has everything. It fails if the server or
// s3mount does not run.
func (d demo) unmountWritten(dir string) error {
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	return exec.CommandContext(ctx, d.path("s3mount"), "umount", dir).Run()
}

// stopServer ends the server if it still runs.
func (d demo) stopServer() error {
	text, err := os.ReadFile(d.pidFile())
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	pid, err := strconv.Atoi(string(text))
	if err != nil {
		return fmt.Errorf("find the server: %w", err)
	}
	if !d.isServer(pid) {
		return nil
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop the server: %w", err)
	}
	for end := time.Now().Add(serverTimeout); d.isServer(pid); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			return fmt.Errorf("the server (process %d) does not end", pid)
		}
	}
	return nil
}

// isServer reports whether a process is the server of this demo, and not another
// process that was given the same number.
func (d demo) isServer(pid int) bool {
	line, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "cmdline"))
	return err == nil && strings.Contains(string(line), "\x00"+d.data()+"\x00")
}
