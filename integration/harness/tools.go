package harness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// Output runs a helper program that touches no mount, for at most a minute.
func Output(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// ModuleDir is the directory of the integration module in the source tree.
func ModuleDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the binary does not know its source directory")
	}
	return filepath.Dir(filepath.Dir(file)), nil
}

// Race tells whether s3mount is built with the race detector.
func Race() bool { return os.Getenv("S3MOUNT_RACE") != "" }

// BuildS3mount builds the program into dir. The environment may name a binary
// to use in its place (S3MOUNT_BINARY) or ask for the race detector
// (S3MOUNT_RACE=1).
func BuildS3mount(dir string) (string, error) {
	if b := os.Getenv("S3MOUNT_BINARY"); b != "" {
		return filepath.Abs(b)
	}
	mod, err := ModuleDir()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(dir, "s3mount")
	args := []string{"build", "-o", bin}
	if Race() {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, "./cmd/s3mount")...)
	cmd.Dir = filepath.Dir(mod)
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build s3mount: %w\n%s", err, out)
	}
	return bin, nil
}

// Tool builds a tool that a go.mod pins and gives the path of the binary in
// Go's build cache. modDir is relative to the integration module.
func Tool(modDir, name string) (string, error) {
	mod, err := ModuleDir()
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "tool", "-n", name)
	cmd.Dir = filepath.Join(mod, modDir)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("build tool %s: %w\n%s", name, err, stderr.String())
	}
	return strings.TrimSpace(string(out)), nil
}

// Tail gives the last n lines of a file, for reports.
func Tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return Last(string(b), n)
}

// Last gives the last n lines of a text.
func Last(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
