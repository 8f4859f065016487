package setup

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
)

// writeClientCertificate makes a certificate of its own authority, and writes it with its key.
func writeClientCertificate(t *testing.T, file string) *x509.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := certificatePEM(der) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}))
	if err := os.WriteFile(file, []byte(both), 0o600); err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// TestClientCertificate mounts from a server that asks for a client certificate.
func TestClientCertificate(t *testing.T) {
	dir := t.TempDir()
	file, bundle := filepath.Join(dir, "client.pem"), filepath.Join(dir, "ca.pem")
	cert := writeClientCertificate(t, file)
	srv := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte("<ListBucketResult/>"))
	}))
	srv.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	clients := x509.NewCertPool()
	clients.AddCert(cert)
	srv.TLS = &tls.Config{ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: clients}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	if err := os.WriteFile(bundle, []byte(certificatePEM(srv.Certificate().Raw)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_PROFILE": "",
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	for _, tc := range []struct{ options, says string }{
		{"--cert-file " + file + " --key-file " + file, ""},
		{"", "certificate"},
		{"--cert-file " + file, "go together"},
		{"--cert-file " + bundle + " --key-file " + file, "--cert-file and --key-file: read the client certificate"},
		{"--cert-file /no/such --key-file " + file, "/no/such"},
	} {
		args := append(strings.Fields(tc.options), "--endpoint", srv.URL, "--ca-file", bundle, "bucket", "/mnt")
		s, _, err := parsed(args)
		if err == nil {
			o, cerr := ClientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler))
			if err = cerr; err == nil {
				o.MaxAttempts = 1
				err = CheckBucket(t.Context(), o, s)
			}
		}
		if (err == nil) != (tc.says == "") || err != nil && !strings.Contains(err.Error(), tc.says) {
			t.Errorf("%q: %v, want %q", tc.options, err, tc.says)
		}
	}
}

// TestEndpointsOfAWS shows that choices that no endpoint has are refused, with their names.
func TestEndpointsOfAWS(t *testing.T) {
	for args, says := range map[string]string{
		"--dual-stack --endpoint https://h b": "--dual-stack chooses an endpoint of AWS",
		"--fips --endpoint https://h b":       "--fips chooses an endpoint of AWS",
		"--accelerate --endpoint https://h b": "--accelerate chooses an endpoint of AWS",
		"--accelerate --fips b":               "no endpoints for --fips",
		"--accelerate a.b":                    "dot in its name",
		"--accelerate x.mrap":                 "access point cannot be accelerated",
		"--dual-stack x.mrap":                 "no endpoints for --dual-stack",
		"--endpoint https://h arn:aws:s3:eu-west-1:123456789012:accesspoint/ap": "an ARN has an endpoint of its own",
		"--ip-version 5 b": `invalid value "5" for flag --ip-version: want any, 4, 6`,
	} {
		_, _, err := parsed(append(strings.Fields(args), "/mnt"))
		exittest.Want(t, err, exit.Usage, says)
	}
}
