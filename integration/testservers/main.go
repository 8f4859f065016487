// Command testservers runs the integration tests that depend on the server once
// per S3 server: make test-servers. It installs a server that is missing, and
// reports a server that it cannot install as not run, with the reason.
//
//	go run ./testservers [SERVER...]
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/integration/servers"
)

// tests match what depends on the server: the conformance suite of package s3, the
// promises, the applications, two mounts, everyday work and the key corpus. The
// promises that bring servers of their own (P11) are not among them, and users
// without privileges see the same server as root.
const tests = "^(TestConformance|TestConformanceLimits|TestEveryday|TestFacts|TestP[1-9][A-Z].*|TestP10.*|TestP12.*|TestApp|TestLocks|TestCopyInS3|TestSparse)$"

// installTime is how long the installation of a server may take: building MinIO
// takes three minutes on two cores.
const installTime = 15 * time.Minute

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	names := os.Args[1:]
	if len(names) == 0 {
		names = []string{servers.Versitygw, servers.MinIO, servers.Ceph}
	}
	failed := false
	for _, name := range names {
		if err := check(ctx, name); err != nil {
			fmt.Printf("%s: FAILED: %v\n", name, err)
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}

// check runs the tests against one server.
func check(ctx context.Context, name string) error {
	if _, ok := servers.Get(name); !ok {
		return errors.New("there is no such server in the table of servers")
	}
	if err := install(ctx, name); err != nil {
		fmt.Printf("%s: not run: %v\n", name, err)
		return nil
	}
	start := time.Now()
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-count=1", "-timeout", "20m", "-run", tests, ".")
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGINT) } // the servers end with their test
	cmd.Env = append(os.Environ(), harness.EnvServer+"="+name)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("read the output of the tests: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the tests: %w", err)
	}
	s := summarize(out)
	err = cmd.Wait()
	s.print(os.Stdout, name, time.Since(start))
	if err != nil {
		return fmt.Errorf("run the tests: %w", err)
	}
	return nil
}

// install installs a server within its time.
func install(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeout(ctx, installTime)
	defer cancel()
	return harness.Install(ctx, name)
}
