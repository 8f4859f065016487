package integration

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/integration/servers"
	"github.com/s3mount/s3mount/s3"
)

// TestEncryption reads the encryption of what a mount creates back from MinIO. The other
// servers of the tests store none.
func TestEncryption(t *testing.T) {
	t.Parallel()
	run(t, "encryption", func(t *testing.T, w *harness.World) {
		if w.Server != servers.MinIO {
			t.Skip("only MinIO encrypts objects")
		}
		srv, ca := w.EncryptedMinIO(t, func(dir string) { writeCertificate(t, dir) })
		pool, err := s3.CertPool(ca)
		must(t, err)
		key := &s3.CustomerKey{Key: [32]byte{5}}
		plain := encryptionClient(t, srv, pool, nil)
		with := encryptionClient(t, srv, pool, key)
		keyFile := filepath.Join(w.Dir(t, "key"), "key")
		must(t, os.WriteFile(keyFile, key.Key[:], 0o600))
		for name, tc := range map[string]struct {
			options []string
			sse     string
			client  *s3.Client
		}{
			"sses3": {[]string{"--sse", "AES256"}, "AES256", plain},
			"kms":   {[]string{"--sse", "aws:kms", "--sse-kms-key-id", harness.MinIOKey}, "aws:kms", plain},
			"ssec":  {[]string{"--sse-c-key-file", keyFile}, "", with},
		} {
			must(t, os.MkdirAll(filepath.Join(srv.Data, name), 0o755)) // a bucket of MinIO is a directory
			eventually(t, w, func() bool {
				_, err := plain.Ls(w.Context(t), &s3.LsInput{Bucket: name})
				return err == nil
			})
			m := w.Mount(t, harness.MountOptions{Endpoint: srv.Endpoint, Source: name, Args: append(tc.options, "--ca-file", ca)})
			must(t, os.Mkdir(m.Path("d"), 0o755))
			large := payload(7, 20<<20)
			must(t, os.WriteFile(m.Path("d/small"), []byte("small"), 0o644))
			must(t, os.WriteFile(m.Path("d/large"), large, 0o644))
			f, err := os.OpenFile(m.Path("d/large"), os.O_RDWR, 0)
			must(t, err)
			_, err = f.WriteAt([]byte("changed"), 10<<20)
			must(t, err)
			must(t, f.Close())
			copy(large[10<<20:], "changed")
			must(t, os.Chmod(m.Path("d/small"), 0o600))
			must(t, os.Rename(m.Path("d"), m.Path("e")))
			m = m.Remount(t)
			for file, want := range map[string][]byte{"e/small": []byte("small"), "e/large": large} {
				got, err := os.ReadFile(m.Path(file))
				must(t, err)
				if !bytes.Equal(got, want) {
					t.Errorf("%s: %s has other bytes", name, file)
				}
				info, err := tc.client.Head(w.Context(t), &s3.HeadInput{Bucket: name, Key: file})
				must(t, err)
				if info.SSE != tc.sse || info.CustomerKey != (tc.sse == "") {
					t.Errorf("%s: %s has the encryption %q, customer's key %v", name, file, info.SSE, info.CustomerKey)
				}
				if tc.sse == "" {
					if out, err := plain.Get(w.Context(t), &s3.GetInput{Bucket: name, Key: file}); err == nil {
						_, _ = io.Copy(io.Discard, out.Body)
						t.Errorf("%s can be read without the key", file)
					}
				}
			}
			m.Unmount(t)
		}
	})
}

// encryptionClient returns a client that speaks TLS to srv.
func encryptionClient(t *testing.T, srv *harness.Server, pool *x509.CertPool, key *s3.CustomerKey) *s3.Client {
	t.Helper()
	o := s3.Options{Endpoint: srv.Endpoint, RootCAs: pool, Credentials: s3.StaticCredentials(harness.AccessKey, harness.SecretKey, "")}
	o.Objects.SSE.Customer = key
	c, err := s3.New(o)
	must(t, err)
	t.Cleanup(c.Close)
	return c
}

// eventually waits until a server is ready, at most until the end of the test.
func eventually(t *testing.T, w *harness.World, ready func() bool) {
	t.Helper()
	for !ready() {
		select {
		case <-w.Context(t).Done():
			t.Fatal("the server does not get ready")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// writeCertificate writes a certificate for the loopback address, signed by itself, and its
// key, under the names that MinIO wants.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "public.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "private.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
}
