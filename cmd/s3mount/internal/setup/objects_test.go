package setup

import (
	"encoding/base64"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// TestCustomerKey checks each form and place of a key for SSE-C, and that no error shows it.
func TestCustomerKey(t *testing.T) {
	raw := "0123456789abcdef0123456789ABCDEF"
	nothing := func(string) (string, bool) { return "", false }
	for _, tc := range []struct {
		name, text string
		mode       os.FileMode
		says       string
	}{
		{"raw", raw, 0o600, ""},
		{"base64", base64.StdEncoding.EncodeToString([]byte(raw)) + "\n", 0o400, ""},
		{"hexadecimal", "3031323334353637383961626364656630313233343536373839414243444546\n", 0o600, ""},
		{"readable by others", raw, 0o644, "its mode is 0644"},
		{"readable by the group", raw, 0o640, "want 0600"},
		{"short", raw[1:], 0o600, "want a key of 32 bytes"},
		{"long", raw + raw + "x", 0o600, "want a key of 32 bytes"},
	} {
		file := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(file, []byte(tc.text), tc.mode); err != nil {
			t.Fatal(err)
		}
		key, err := customerKey(file, nothing)
		if tc.says == "" {
			if err != nil || string(key.Key[:]) != raw {
				t.Errorf("%s: %v", tc.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), "--sse-c-key-file "+file) || strings.Contains(err.Error(), raw[1:8]) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if _, err := customerKey(t.TempDir(), nothing); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Errorf("a directory: %v", err)
	}
	variable := func(text string) func(string) (string, bool) {
		return func(name string) (string, bool) { return text, name == "S3MOUNT_SSE_C_KEY" }
	}
	if key, err := customerKey("", variable(base64.StdEncoding.EncodeToString([]byte(raw)))); err != nil || string(key.Key[:]) != raw {
		t.Errorf("from the environment: %v", err)
	}
	if _, err := customerKey("", variable("mysecret")); err == nil || strings.Contains(err.Error(), "mysecret") {
		t.Errorf("a bad key from the environment: %v", err)
	}
	if key, err := customerKey("", nothing); key != nil || err != nil {
		t.Errorf("no key: %v, %v", key, err)
	}
}

// TestTrialObject shows that a mount with options for objects fails at once, in the words
// of the server, if the server refuses them.
func TestTrialObject(t *testing.T) {
	var refusal string
	srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"b"}, TLS: true,
		Deny: func(kind, _, _ string) bool { return kind == refusal }})
	try := func(o s3.Options, readOnly bool) error {
		s, _, err := parsed([]string{"--storage-class", "STANDARD_IA", "b:p", "/mnt"})
		if err != nil {
			t.Fatal(err)
		}
		s.FS.ReadOnly, s.S3.Endpoint = readOnly, srv.URL()
		o.Endpoint, o.RootCAs = srv.URL(), srv.RootCAs()
		return CheckBucket(t.Context(), o.Defaults(), s)
	}
	rules := s3.Options{Objects: s3.ObjectRules{StorageClass: "STANDARD_IA"}}
	if err := try(rules, false); err != nil {
		t.Error(err)
	}
	if keys := srv.Keys("b"); len(keys) != 0 {
		t.Errorf("the trial leaves %q", keys)
	}
	refusal = "PutObject"
	exittest.Want(t, try(rules, false), exit.Bucket, "does not accept objects with --storage-class: PutObject")
	exittest.Want(t, try(rules, false), exit.Bucket, "Access Denied")
	if err := try(rules, true); err != nil {
		t.Errorf("a mount that only reads: %v", err)
	}
	if err := try(s3.Options{}, false); err != nil {
		t.Errorf("without options: %v", err)
	}
	refusal = ""
	ignoring := s3.Options{Objects: s3.ObjectRules{SSE: s3.ServerSideEncryption{Customer: &s3.CustomerKey{}}},
		Transport: func(next http.RoundTripper) http.RoundTripper {
			return dropped{next, "X-Amz-Server-Side-Encryption-Customer-"}
		}}
	exittest.Want(t, try(ignoring, false), exit.Bucket, "ignores the customer's key")
}

// dropped is a transport that loses the headers with a prefix.
type dropped struct {
	http.RoundTripper
	prefix string
}

func (d dropped) RoundTrip(r *http.Request) (*http.Response, error) {
	for name := range r.Header {
		if strings.HasPrefix(name, d.prefix) {
			r.Header.Del(name)
		}
	}
	return d.RoundTripper.RoundTrip(r)
}

// TestCustomerKeyNeedsTLS shows that a mount does not send a key over plain HTTP.
func TestCustomerKeyNeedsTLS(t *testing.T) {
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_PROFILE": "", "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	s, _, err := parsed([]string{"--sse-c-key-file", file, "--endpoint", "http://127.0.0.1:9", "b", "/mnt"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = ClientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, nil)
	exittest.Want(t, err, exit.Usage, "want an endpoint with https://")
}
