package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/s3mount/s3mount/integration/harness"
)

// makeFixture makes the local files that rows copy: a tree, a tar archive of it, and a
// git repository.
func makeFixture(ctx context.Context, dir string, p params) error {
	for _, path := range treePaths(p.n(400), 21) {
		f := filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(f), 0o755); err != nil {
			return fmt.Errorf("make the fixture: %w", err)
		}
		if err := os.WriteFile(f, bytes.Repeat([]byte(path+"\n"), 200), 0o644); err != nil {
			return fmt.Errorf("make the fixture: %w", err)
		}
	}
	cmd := exec.CommandContext(ctx, "bash", "-euc", `cd "$0"; tar cf t.tar t; mkdir repo; cp -r t repo; cd repo; git init -q -b main; git add .; git commit -q -m fixture`, dir)
	cmd.Env = append(harness.Environment(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_AUTHOR_NAME=bench", "GIT_AUTHOR_EMAIL=bench@example.org",
		"GIT_COMMITTER_NAME=bench", "GIT_COMMITTER_EMAIL=bench@example.org")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("make the fixture: %w: %s", err, out)
	}
	return nil
}
