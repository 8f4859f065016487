package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// awaitHeld waits until S3 has all data of the work. It asks the server directly, so
// that the link and the counters are not affected.
func (b *bench) awaitHeld(ctx context.Context, row row, bk *bucket, start time.Time, r *result) error {
	for first := true; ; first = false {
		ok, err := row.held(ctx, bk)
		switch {
		case ctx.Err() != nil:
			return fmt.Errorf("done after %.1f s, but S3 does not hold it all: %w", r.seconds, context.Cause(ctx))
		case err != nil:
			return err
		case ok && !first:
			r.held = time.Since(start).Seconds()
			return nil
		case ok:
			return nil
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// script runs a script in a mount. It kills the process group of the script when ctx
// ends. If the output contains a note, script stores it in note.
func (b *bench) script(ctx context.Context, dir, script string, note *string) error {
	var out bytes.Buffer
	cmd := exec.Command("bash", "-euo", "pipefail", "-c", "cd -- \"$DIR\"\n"+script)
	cmd.Dir = b.root
	cmd.Env = slices.Concat(harness.Environment(), b.o.env(), []string{"DIR=" + dir, "BENCH=" + b.self, "FIXTURE=" + b.fixture, "GIT_CONFIG_GLOBAL=/dev/null", "LC_ALL=C"})
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	p, err := harness.Start(cmd)
	if err != nil {
		return err
	}
	select {
	case <-p.Done():
		if p.Err() != nil {
			return fmt.Errorf("%w: %s", p.Err(), strings.TrimSpace(harness.Last(out.String(), 1)))
		}
		if _, after, found := strings.Cut(out.String(), "note: "); found && note != nil {
			*note, _, _ = strings.Cut(after, "\n")
		}
		return nil
	case <-ctx.Done():
	}
	_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	return context.Cause(ctx) // processes that hang in the mount end when it is aborted
}
