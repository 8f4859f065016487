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

// Output runs a program that accesses no mount, for at most a minute, and returns its
// output.
func Output(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	return string(out), err
}

// ModuleDir returns the directory of the integration module in the source tree.
func ModuleDir() (string, error) {
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		return "", errors.New("the binary does not know its source directory")
	}
	return filepath.Dir(filepath.Dir(file)), nil
}

// Race reports whether s3mount is built with the race detector.
func Race() bool { return os.Getenv("S3MOUNT_RACE") != "" }

// BuildS3mount builds s3mount in dir and returns its path. S3MOUNT_BINARY names a
// binary to use instead. S3MOUNT_RACE=1 enables the race detector.
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

// Tool builds a tool that a go.mod pins and returns its path in the build cache of Go.
// modDir is relative to the integration module.
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

// Tail returns the last n lines of a file.
func Tail(path string, n int) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return err.Error()
	}
	return Last(string(b), n)
}

// Last returns the last n lines of a text.
func Last(text string, n int) string {
	lines := strings.SplitAfter(strings.TrimRight(text, "\n"), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "")
}
