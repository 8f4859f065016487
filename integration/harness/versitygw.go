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

// VirtualDomain is the domain of bucket host names on the servers. *.localhost resolves
// to the loopback interface (RFC 6761).
const VirtualDomain = "s3.localhost"

// ServerOptions configure a versitygw. The zero value is the usual configuration.
type ServerOptions struct {
	Binary    string // path of versitygw, if it is built already
	Addr      string // address to listen on; a free port if it is ""
	Data      string // data directory; a new one if it is ""
	AccessLog bool   // whether to write Server.Access
	IAM       string // directory with additional accounts, which may change at any time
}

// StartServer starts versitygw with its data below dir and returns when it answers. The
// filesystem of dir must support user xattrs.
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
