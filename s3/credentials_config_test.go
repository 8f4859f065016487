package s3

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
)

// TestConfigOfPresentHome checks that the shared files of the present HOME are read.
// HOME changes when a process becomes another user.
func TestConfigOfPresentHome(t *testing.T) {
	sharedFiles(t)
	os.Unsetenv("AWS_SHARED_CREDENTIALS_FILE")
	os.Unsetenv("AWS_CONFIG_FILE")
	home := t.TempDir()
	t.Setenv("HOME", home)
	noError(t, os.Mkdir(filepath.Join(home, ".aws"), 0o700))
	writeKeys(t, filepath.Join(home, ".aws", "credentials"), "HOMEKEY")
	noError(t, os.WriteFile(filepath.Join(home, ".aws", "config"), []byte("[default]\nregion = eu-home-1\n"), 0o600))
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	if cr, err := p.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "HOMEKEY" {
		t.Errorf("credentials %q, error %v", cr.AccessKeyID, err)
	}
	if r, err := DefaultRegion(t.Context(), ""); err != nil || r != "eu-home-1" {
		t.Errorf("region %q, error %v", r, err)
	}
}

// TestNoIMDSv1 checks that nothing is asked of an instance's metadata without a
// token.
func TestNoIMDSv1(t *testing.T) {
	for _, status := range []int{http.StatusNotFound, http.StatusForbidden, http.StatusMethodNotAllowed} {
		sharedFiles(t)
		asked := false
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				w.WriteHeader(status)
				return
			}
			asked = true
			if r.URL.Path == "/latest/meta-data/iam/security-credentials/" {
				_, _ = w.Write([]byte("role"))
				return
			}
			_, _ = w.Write([]byte(`{"Code":"Success","AccessKeyId":"V1","SecretAccessKey":"s","Token":"t","Expiration":"2199-01-01T00:00:00Z"}`))
		}))
		t.Cleanup(srv.Close)
		t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
		t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
		p, err := DefaultCredentials(t.Context(), "")
		noError(t, err)
		if cr, err := p.Retrieve(t.Context()); err == nil {
			t.Errorf("the token endpoint answers %d: credentials %q", status, cr.AccessKeyID)
		}
		if asked {
			t.Errorf("the token endpoint answers %d: a request without a token was made", status)
		}
	}
}

// TestIMDSv2 checks that the role of an instance is found at the endpoint that the
// environment names.
func TestIMDSv2(t *testing.T) {
	sharedFiles(t)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodPut:
			w.Header().Set("X-Aws-Ec2-Metadata-Token-Ttl-Seconds", "60")
			_, _ = w.Write([]byte("token"))
		case r.Header.Get("X-Aws-Ec2-Metadata-Token") != "token":
			w.WriteHeader(http.StatusUnauthorized)
		case r.URL.Path == "/latest/meta-data/iam/security-credentials/":
			_, _ = w.Write([]byte("role"))
		default:
			_, _ = w.Write([]byte(`{"Code":"Success","AccessKeyId":"V2","SecretAccessKey":"s","Token":"t","Expiration":"2199-01-01T00:00:00Z"}`))
		}
	}))
	t.Cleanup(srv.Close)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "false")
	t.Setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", srv.URL)
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	if cr, err := p.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "V2" {
		t.Errorf("credentials %q, error %v", cr.AccessKeyID, err)
	}
}

// TestCABundleOfProfile checks that requests for credentials trust the profile's
// bundle.
func TestCABundleOfProfile(t *testing.T) {
	sharedFiles(t)
	t.Setenv("AWS_CA_BUNDLE", "")
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"AccessKeyId":"TLS","SecretAccessKey":"s","Token":"t","Expiration":"2199-01-01T00:00:00Z"}`))
	}))
	t.Cleanup(srv.Close)
	bundle := filepath.Join(t.TempDir(), "ca.pem")
	noError(t, os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600))
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", srv.URL)
	noError(t, os.WriteFile(os.Getenv("AWS_CONFIG_FILE"), []byte("[default]\nca_bundle = "+bundle+"\n"), 0o600))
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	if cr, err := p.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "TLS" {
		t.Errorf("credentials %q, error %v", cr.AccessKeyID, err)
	}
}
