package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

const (
	// serverTimeout is more than a loaded machine needs to start the server.
	serverTimeout = 20 * time.Second
	// commandTimeout ends a command that hangs on the mount.
	commandTimeout = time.Minute
)

func (d demo) start() (err error) {
	if err := os.Mkdir(d.dir, 0o700); errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already: make demo-stop ends that demo", d.dir)
	} else if err != nil {
		return fmt.Errorf("make the demo's directory: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.stop())
		}
	}()
	for _, dir := range []string{d.mountpoint(), d.data(), d.path("state")} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			return fmt.Errorf("make the demo's directory: %w", err)
		}
	}
	fmt.Println("Building s3mount and the S3 server versitygw; the first time takes a while.")
	if _, err := harness.BuildS3mount(d.dir); err != nil {
		return err
	}
	endpoint, err := d.startServer()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	referee := harness.NewReferee(endpoint, bucket)
	if err := referee.CreateBucket(ctx); err != nil {
		return err
	}
	fmt.Printf("An S3 server runs at %s, with an empty bucket named %s.\n\n", endpoint, bucket)
	if err := d.show(endpoint); err != nil {
		return err
	}
	keys, err := referee.Keys(ctx, "")
	if err != nil {
		return err
	}
	fmt.Printf("\nAnother S3 client sees these keys in the bucket:\n  %s\n", strings.Join(keys, "\n  "))
	fmt.Printf("\nThe bucket stays mounted at\n  %s\nTry it, then end it with\n  make demo-stop\n", d.mountpoint())
	return nil
}

// startServer starts versitygw so that it outlives this program.
func (d demo) startServer() (endpoint string, err error) {
	bin, err := harness.Tool(".", "versitygw")
	if err != nil {
		return "", err
	}
	addr, err := harness.FreePort()
	if err != nil {
		return "", err
	}
	log, err := os.Create(d.serverLog())
	if err != nil {
		return "", fmt.Errorf("make the server's log: %w", err)
	}
	defer log.Close()
	server := exec.Command(bin, "--port", addr, "--region", harness.Region, "--keep-alive", "--quiet", "--health", "/health", "posix", d.data())
	server.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+harness.AccessKey, "ROOT_SECRET_KEY="+harness.SecretKey)
	server.Stdout, server.Stderr = log, log
	server.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := server.Start(); err != nil {
		return "", fmt.Errorf("start the server: %w", err)
	}
	if err := os.WriteFile(d.pidFile(), []byte(strconv.Itoa(server.Process.Pid)), 0o600); err != nil {
		return "", errors.Join(fmt.Errorf("note the server's process id: %w", err), server.Process.Kill())
	}
	endpoint = "http://" + addr
	return endpoint, d.waitHealthy(endpoint)
}

// waitHealthy returns when the server answers.
func (d demo) waitHealthy(endpoint string) error {
	for end := time.Now().Add(serverTimeout); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		res, err := http.Get(endpoint + "/health")
		if err != nil {
			continue
		}
		_ = res.Body.Close() // nothing was read
		if res.StatusCode == http.StatusOK {
			return nil
		}
	}
	return fmt.Errorf("the server does not answer:\n%s", harness.Tail(d.serverLog(), 20))
}

// show runs the commands of the demo and prints each command with its output.
func (d demo) show(endpoint string) error {
	module, err := harness.ModuleDir()
	if err != nil {
		return err
	}
	root, mnt := filepath.Dir(module), d.mountpoint()
	for _, command := range []string{
		fmt.Sprintf("s3mount --endpoint %s --log-file %s %s %s", endpoint, d.mountLog(), bucket, mnt),
		"cd " + mnt,
		"mkdir -p papers/2026",
		"cp " + root + "/README.md " + root + "/LICENSE papers/2026",
		"echo 'Hello from a file that is an object.' > hello.txt",
		"ls -lR",
		"cat hello.txt",
		"mv papers/2026 papers/archive",
		"echo 'A second line.' >> hello.txt",
		"cat hello.txt",
		"find . -type f",
		"df -h --output=source,fstype,target .",
	} {
		if dir, ok := strings.CutPrefix(command, "cd "); ok {
			fmt.Println("$", command)
			mnt = dir
			continue
		}
		if err := d.shell(command, mnt); err != nil {
			return fmt.Errorf("%w\n%s", err, harness.Tail(d.mountLog(), 20))
		}
	}
	return nil
}

// shell prints a command and runs it, inside the mount once that is there.
func (d demo) shell(command, dir string) error {
	fmt.Println("$", command)
	ctx, cancel := context.WithTimeout(context.Background(), commandTimeout)
	defer cancel()
	sh := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	if !strings.HasPrefix(command, "s3mount ") {
		sh.Dir = dir
	}
	sh.Env = append(os.Environ(),
		"PATH="+d.dir+":"+os.Getenv("PATH"),
		"AWS_ACCESS_KEY_ID="+harness.AccessKey, "AWS_SECRET_ACCESS_KEY="+harness.SecretKey, "AWS_REGION="+harness.Region,
		"S3MOUNT_STATE_DIR="+d.path("state"))
	sh.Stdout, sh.Stderr = os.Stdout, os.Stderr
	if err := sh.Run(); err != nil {
		return fmt.Errorf("run %q: %w", command, err)
	}
	return nil
}
