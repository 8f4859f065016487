package harness

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/s3mount/s3mount/integration/servers"
)

// minioVersion is the version of github.com/minio/minio in the tests. Due to its
// license (AGPL) and its dependencies it is in no go.mod.
const minioVersion = "v0.0.0-20260212201848-7aac2a2c5b7c"

// ServerCache returns the directory of installed servers, which is kept between runs.
func ServerCache() (string, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache directory: %w", err)
	}
	return filepath.Join(dir, "s3mount-test"), nil
}

// EnvMinIO is the variable with the path of MinIO. Main sets it for children, whose
// home and therefore cache directory differ.
const EnvMinIO = "S3MOUNT_TEST_MINIO"

// minioBinary returns the path of MinIO, whether it is installed or not.
func minioBinary() (string, error) {
	if b := os.Getenv(EnvMinIO); b != "" {
		return filepath.Abs(b)
	}
	cache, err := ServerCache()
	return filepath.Join(cache, "minio-"+minioVersion, "minio"), err
}

// installMinIO builds MinIO in the cache directory unless it exists. This takes three
// minutes on two processors.
func installMinIO(ctx context.Context) error {
	bin, err := minioBinary()
	if err != nil {
		return err
	}
	if _, err := os.Stat(bin); err == nil {
		return nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", "-trimpath", "github.com/minio/minio@"+minioVersion)
	cmd.Dir = filepath.Dir(filepath.Dir(bin)) // outside of every module
	if err := os.MkdirAll(cmd.Dir, 0o755); err != nil {
		return fmt.Errorf("make the cache of servers: %w", err)
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOBIN="+filepath.Dir(bin), "GOFLAGS=", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go install github.com/minio/minio: %w\n%s", err, Last(string(out), 5))
	}
	return nil
}

// startMinIO starts MinIO with its data below dir and returns when it answers.
func startMinIO(ctx context.Context, dir string) (*Server, error) {
	s, err := launchMinIO(dir, "http")
	if err != nil {
		return nil, err
	}
	if err := s.waitReady(ctx, "/minio/health/live", http.StatusOK); err != nil {
		s.Stop()
		return nil, err
	}
	return s, nil
}

// MinIOKey is the key in KMS of an EncryptedMinIO.
const MinIOKey = "test-key"

// EncryptedMinIO starts a MinIO of the test's own that serves TLS and has a key for
// encryption. The files public.crt and private.key of certs are its certificate and key.
func (w *World) EncryptedMinIO(t testing.TB, certs func(dir string)) (s *Server, caFile string) {
	t.Helper()
	dir := w.Dir(t, "minio")
	certDir := filepath.Join(dir, "certs")
	if err := os.MkdirAll(certDir, 0o755); err != nil {
		t.Fatal(err)
	}
	certs(certDir)
	s, err := launchMinIO(dir, "https", "MINIO_KMS_SECRET_KEY="+MinIOKey+":"+base64.StdEncoding.EncodeToString(make([]byte, 32)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	return s, filepath.Join(certDir, "public.crt")
}

// launchMinIO starts MinIO with its data below dir. It does not wait for an answer.
func launchMinIO(dir, scheme string, env ...string) (*Server, error) {
	bin, err := minioBinary()
	if err != nil {
		return nil, err
	}
	addr, err := FreePort()
	if err != nil {
		return nil, err
	}
	s := &Server{Name: servers.MinIO, Endpoint: scheme + "://" + addr, Data: filepath.Join(dir, "data"), Log: filepath.Join(dir, "minio.log")}
	certs := filepath.Join(dir, "certs")
	for _, d := range []string{s.Data, certs} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			return nil, fmt.Errorf("make the server's directory: %w", err)
		}
	}
	cmd := exec.Command(bin, "server", "--quiet", "--anonymous", "--address", addr, "--certs-dir", certs, s.Data)
	cmd.Env = append(os.Environ(), "HOME="+dir,
		"MINIO_ROOT_USER="+AccessKey, "MINIO_ROOT_PASSWORD="+SecretKey, "MINIO_REGION="+Region, "MINIO_DOMAIN="+VirtualDomain,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off")
	cmd.Env = append(cmd.Env, env...)
	if err := s.start(cmd); err != nil {
		return nil, err
	}
	return s, nil
}
