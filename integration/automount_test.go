package integration

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestAutomount checks that a program that accesses the mountpoint of an automounter
// waits until s3mount has mounted there, and then sees the bucket.
func TestAutomount(t *testing.T) {
	t.Parallel()
	t.Run("autofs", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, testAutomount)
	})
}

func testAutomount(t *testing.T, w *harness.World) {
	types, err := os.ReadFile("/proc/filesystems")
	must(t, err)
	if !strings.Contains(string(types), "\tautofs\n") {
		t.Skip("this kernel has no autofs")
	}
	bucket, dir := w.Bucket(t), w.Dir(t, "mnt")
	must(t, bucket.Put(w.Context(t), "f", []byte("in S3\n"), nil))
	r := w.Op(t, "automount", dir, w.Binary, "--endpoint", w.Endpoint, "--state-dir", w.Dir(t, "state"), "--log-file", w.Work+"/mount.log", bucket.Bucket, dir)
	if r.Code != 0 || r.Out != "in S3\n" {
		t.Fatalf("exit status %d, said\n%s", r.Code, r.Out)
	}
	waitGone(t, w, dir)
}

// These constants are part of the protocol between the kernel and an automounter
// (linux/auto_fs.h).
const (
	autofsPacket        = 304            // size of struct autofs_v5_packet
	autofsMissingDirect = 5              // autofs_ptype_missing_direct
	autofsReady         = 0x93<<8 | 0x60 // AUTOFS_IOC_READY
	autofsFail          = 0x93<<8 | 0x61 // AUTOFS_IOC_FAIL
)

// automountOp is an automounter for args[0], like the one of systemd. When a program
// accesses the mountpoint, it runs the command args[1:] in its process group, for which
// the kernel does not block. It prints the content of f and unmounts.
func automountOp(args []string) error {
	dir, command := args[0], args[1:]
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	if err := unix.Setpgid(0, 0); err != nil {
		return fmt.Errorf("lead a process group: %w", err)
	}
	options := fmt.Sprintf("fd=%d,pgrp=%d,minproto=5,maxproto=5,direct", w.Fd(), unix.Getpgrp())
	if err := unix.Mount("test", dir, "autofs", 0, options); err != nil {
		return fmt.Errorf("mount autofs: %w", err)
	}
	root, err := os.Open(dir) // its own process group does not wait
	if err != nil {
		return err
	}
	cat := exec.Command("cat", dir+"/f")
	cat.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cat.Stdout, cat.Stderr = os.Stdout, os.Stderr
	if err := cat.Start(); err != nil {
		return err
	}
	packet := make([]byte, autofsPacket)
	if _, err := io.ReadFull(r, packet); err != nil {
		return fmt.Errorf("read what the kernel asks for: %w", err)
	}
	if kind := binary.NativeEndian.Uint32(packet[4:]); kind != autofsMissingDirect {
		return fmt.Errorf("the kernel asks for %d", kind)
	}
	mount := exec.Command(command[0], command[1:]...)
	mount.Env = append(harness.Environment(), harness.Credentials()...)
	out, err := mount.CombinedOutput()
	answer := uint(autofsReady)
	if err != nil {
		answer = autofsFail
		err = fmt.Errorf("%w: %s", err, out)
	}
	token := int(binary.NativeEndian.Uint32(packet[8:]))
	err = errors.Join(err, unix.IoctlSetInt(int(root.Fd()), answer, token), cat.Wait(), root.Close())
	unmount := func() error { return unix.Unmount(dir, 0) }
	return errors.Join(err, retryBusy(unmount), retryBusy(unmount)) // what was mounted, then autofs
}

// retryBusy lets a program that has just closed its last file be gone.
func retryBusy(f func() error) error {
	var err error
	for range 1000 {
		if err = f(); !errors.Is(err, unix.EBUSY) {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return err
}
