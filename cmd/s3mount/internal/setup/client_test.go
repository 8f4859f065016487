package setup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestNewKeysAreReadFromTheFile checks that a mount uses keys that were renewed.
func TestNewKeysAreReadFromTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "credentials")
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": file, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	write := func(id string) {
		text := fmt.Sprintf("[default]\naws_access_key_id = %s\naws_secret_access_key = secret\n", id)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("AKIDOLD")
	s, _, err := parsed([]string{"bucket", "/mnt"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := ClientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	if key := accessKey(t, o.Credentials); key != "AKIDOLD" {
		t.Errorf("at first: %q", key)
	}
	write("AKIDNEWER")
	if p, ok := o.Credentials.(interface{ Invalidate() }); ok { // as the client does when a server refuses them
		p.Invalidate()
	}
	if key := accessKey(t, o.Credentials); key != "AKIDNEWER" {
		t.Errorf("after the file changed: %q", key)
	}
}

// TestCAFile checks each way to name the authority of a private server.
func TestCAFile(t *testing.T) {
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<ListBucketResult/>"))
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	srv.StartTLS()
	t.Cleanup(srv.Close)
	dir := t.TempDir()
	bundle, other, config := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "other.pem"), filepath.Join(dir, "config")
	write := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(bundle, certificatePEM(srv.Certificate().Raw))
	write(other, certificatePEM(selfSigned(t)))
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "", "AWS_CONFIG_FILE": config,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true",
	} {
		t.Setenv(name, value)
	}
	for _, tc := range []struct{ option, variable, profile, says string }{
		{"", "", "", "--ca-file"},
		{bundle, "", "", ""},
		{"", bundle, "", ""},
		{"", "", bundle, ""},
		{bundle, other, "", ""},
		{"/nothing", "", "", "--ca-file: read certificates"},
		{"", "/nothing", "", "read the AWS configuration"},
		{"", "", "/nothing", "read the AWS configuration"},
		{"", "", other, "--ca-file"},
	} {
		write(config, "[default]\nregion = x\nca_bundle = "+tc.profile+"\n")
		t.Setenv("AWS_CA_BUNDLE", tc.variable)
		args := []string{"--endpoint", srv.URL, "bucket", "/mnt"}
		if tc.option != "" {
			args = append(args, "--ca-file", tc.option)
		}
		s, _, err := parsed(args)
		if err != nil {
			t.Fatal(err)
		}
		o, err := ClientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler))
		if err == nil {
			err = CheckBucket(t.Context(), o, s)
		}
		if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

func certificatePEM(der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

// selfSigned makes a certificate that has signed nothing but itself.
func selfSigned(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
