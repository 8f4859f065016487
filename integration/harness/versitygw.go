package harness

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/s3mount/s3mount/integration/servers"
)

// VirtualDomain is the base domain under which the servers serve buckets as
// host names; *.localhost resolves to the loopback interface (RFC 6761).
const VirtualDomain = "s3.localhost"

// ServerOptions are what a test may want different; the zero value is usual.
type ServerOptions struct {
	Binary    string // versitygw, if it is built already
	Addr      string // listen here and not on a free port
	Data      string // use this data directory and not a new one
	AccessLog bool   // write Server.Access
	IAM       string // directory with more accounts, which may change at any time
}

// StartServer starts versitygw with its data under dir, which must be on a
// filesystem with user xattrs, and returns when it answers.
func StartServer(ctx context.Context, dir string, o ServerOptions) (*Server, error) {
	var err error
	if o.Binary == "" {
		if o.Binary, err = Tool(".", "versitygw"); err != nil {
			return nil, err
		}
	}
	if o.Addr == "" {
		if o.Addr, err = FreePort(); err != nil {
			return nil, err
		}
	}
	s := &Server{
		Name: servers.Versitygw, Endpoint: "http://" + o.Addr, Data: o.Data,
		Log: filepath.Join(dir, "versitygw.log"), Access: filepath.Join(dir, "access.log"),
	}
	if s.Data == "" {
		s.Data = filepath.Join(dir, "data")
	}
	versions := filepath.Join(dir, "versions")
	for _, d := range []string{s.Data, versions} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the server's directory: %w", err)
		}
	}
	args := []string{
		"--port", o.Addr, "--region", Region, "--keep-alive", "--quiet",
		"--virtual-domain", VirtualDomain, "--health", "/health",
	}
	if o.AccessLog {
		args = append(args, "--access-log", s.Access)
	}
	if o.IAM != "" {
		args = append(args, "--iam-dir", o.IAM, "--iam-cache-disable")
	}
	args = append(args, "posix", "--versioning-dir", versions, s.Data)
	cmd := exec.Command(o.Binary, args...)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY="+AccessKey, "ROOT_SECRET_KEY="+SecretKey)
	if err := s.start(cmd); err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx, "/health", http.StatusOK); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}
