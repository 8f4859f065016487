package s3

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// environmentURL contains the URL of the server for TestEnvironmentChild.
const environmentURL = "S3_TEST_ENVIRONMENT_URL"

// TestEnvironmentChild is a client in another process, because Go reads the environment
// only once per process.
func TestEnvironmentChild(t *testing.T) {
	url := os.Getenv(environmentURL)
	if url == "" {
		t.Skip("TestEnvironment starts this in a process of its own")
	}
	o := testOptions(url)
	o.MaxAttempts = 1
	c, err := New(o)
	noError(t, err)
	defer c.Close()
	info, err := c.Head(t.Context(), &HeadInput{Bucket: "bucket", Key: "k"})
	noError(t, err)
	if info.ETag != `"there"` {
		t.Errorf("ETag = %s", info.ETag)
	}
}

// environmentChild runs TestEnvironmentChild with these variables on top.
func environmentChild(t *testing.T, env ...string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestEnvironmentChild$")
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Logf("child: %s", out)
	}
	return err
}

func TestEnvironment(t *testing.T) {
	answer := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("ETag", `"there"`)
		w.Header().Set("Content-Length", "5")
	}
	t.Run("proxy", func(t *testing.T) {
		asked := ""
		proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = r.RequestURI // absolute: RFC 9112, section 3.2.2
			answer(w, r)
		}))
		defer proxy.Close()
		noError(t, environmentChild(t, environmentURL+"=http://s3.example.test", "HTTP_PROXY="+proxy.URL, "http_proxy=", "NO_PROXY=", "no_proxy="))
		if asked != "http://s3.example.test/bucket/k" {
			t.Errorf("the proxy was asked for %q", asked)
		}
		asked = ""
		err := environmentChild(t, environmentURL+"=http://s3.example.test", "HTTP_PROXY="+proxy.URL, "http_proxy=", "NO_PROXY=example.test", "no_proxy=")
		if err == nil || asked != "" {
			t.Errorf("NO_PROXY: the proxy was asked for %q, error %v", asked, err)
		}
	})
	t.Run("SSL_CERT_FILE", func(t *testing.T) {
		server := httptest.NewTLSServer(http.HandlerFunc(answer))
		defer server.Close()
		file := filepath.Join(t.TempDir(), "ca.pem")
		noError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600))
		noError(t, environmentChild(t, environmentURL+"="+server.URL, "SSL_CERT_FILE="+file))
		if err := environmentChild(t, environmentURL+"="+server.URL); err == nil {
			t.Error("an unknown certificate was trusted")
		}
	})
}
