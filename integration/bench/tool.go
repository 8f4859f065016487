package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// tool is a program that mounts. command gives the one that mounts bucket at
// dir in the foreground; state is a directory of its own.
type tool struct {
	name    string
	prepare func(dir string) (binary string, err error)
	command func(binary, endpoint, bucket, dir, state string) *exec.Cmd
	env     func(endpoint string) []string
}

func tools() []tool {
	return []tool{
		{name: "s3mount", prepare: harness.BuildS3mount, env: func(string) []string { return harness.Credentials() },
			command: func(binary, endpoint, bucket, dir, state string) *exec.Cmd {
				return exec.Command(binary, "--foreground", "--endpoint", endpoint, "--state-dir", state, bucket, dir)
			}},
		{name: "s3fs", prepare: func(string) (string, error) { return exec.LookPath("s3fs") },
			env: func(string) []string {
				return []string{"AWSACCESSKEYID=" + harness.AccessKey, "AWSSECRETACCESSKEY=" + harness.SecretKey}
			},
			command: func(binary, endpoint, bucket, dir, state string) *exec.Cmd {
				return exec.Command(binary, bucket, dir, "-f", "-o", "use_path_request_style,listobjectsv2,dbglevel=err,url="+endpoint+",tmpdir="+state)
			}},
		{name: "rclone", prepare: func(string) (string, error) { return harness.Tool("bench/peers", "rclone") },
			env: func(endpoint string) []string {
				return []string{
					"RCLONE_CONFIG=/dev/null", "RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENDPOINT=" + endpoint, "RCLONE_S3_REGION=" + harness.Region,
					"RCLONE_S3_ACCESS_KEY_ID=" + harness.AccessKey, "RCLONE_S3_SECRET_ACCESS_KEY=" + harness.SecretKey,
				}
			},
			// Without --vfs-cache-mode writes it cannot write as an application does.
			command: func(binary, endpoint, bucket, dir, state string) *exec.Cmd {
				return exec.Command(binary, "mount", "--vfs-cache-mode", "writes", "--cache-dir", state, ":s3:"+bucket, dir)
			}},
	}
}

// mounted is a running tool.
type mounted struct {
	dir, log string
	proc     *harness.Process
}

// mountPatience bounds mounting and unmounting; unmounting of a peer may mean
// to write a gigabyte back.
const mountPatience = time.Minute

func (t tool) mount(binary, endpoint, bucket, work string) (*mounted, error) {
	m := &mounted{dir: filepath.Join(work, "mnt"), log: filepath.Join(work, t.name+".log")}
	state := filepath.Join(work, "state")
	for _, d := range []string{m.dir, state} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory for %s: %w", t.name, err)
		}
	}
	log, err := os.Create(m.log)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", t.name, err)
	}
	defer log.Close()
	cmd := t.command(binary, endpoint, bucket, m.dir, state)
	cmd.Dir = work
	cmd.Env = slices.Concat(harness.Environment(), t.env(endpoint), []string{"HOME=" + work})
	cmd.Stdout, cmd.Stderr = log, log
	if m.proc, err = harness.Start(cmd); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(mountPatience); ; {
		ms, err := harness.FuseMounts(m.dir)
		if err != nil || len(ms) > 0 {
			return m, err
		}
		select {
		case <-m.proc.Done():
			return nil, fmt.Errorf("%s ended before it had mounted: %w\n%s", t.name, m.proc.Err(), harness.Tail(m.log, 10))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s has not mounted after %v", t.name, mountPatience), m.end())
		}
	}
}

// end unmounts and waits for the process, and makes an end of both if they do not.
func (m *mounted) end() error {
	ctx, cancel := context.WithTimeout(context.Background(), mountPatience)
	defer cancel()
	out, err := exec.CommandContext(ctx, "umount", m.dir).CombinedOutput()
	if err != nil {
		err = fmt.Errorf("umount: %w: %s", err, out)
	}
	select {
	case <-m.proc.Done():
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("the process had not ended after %v", mountPatience))
	case <-failed(err):
	}
	m.proc.Signal(syscall.SIGKILL)
	ms, merr := harness.FuseMounts(m.dir)
	for _, f := range ms {
		merr = errors.Join(merr, f.Abort())
	}
	return errors.Join(err, merr)
}

// failed is a channel that is ready if err is an error.
func failed(err error) <-chan struct{} {
	c := make(chan struct{})
	if err != nil {
		close(c)
	}
	return c
}
