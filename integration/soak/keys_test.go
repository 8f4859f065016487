package soak

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// keys are the keys of the account. They change regularly: the server accepts the new
// pair instead of the old one, and the mounts must find the new pair.
type keys struct {
	t     *testing.T
	iam   string // directory of the server's accounts
	file  string // shared credentials file
	url   string // what serves them as a container's metadata service does
	made  int
	valid []pair // accepted by the server

	mu      sync.Mutex
	current pair
}

type pair struct{ id, secret string }

func newKeys(t *testing.T, w *harness.World) *keys {
	t.Helper()
	k := &keys{t: t, iam: w.Dir(t, "iam"), file: filepath.Join(w.Dir(t, "aws"), "credentials")}
	k.rotate(false)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := &http.Server{Handler: http.HandlerFunc(k.serve), ReadHeaderTimeout: time.Minute}
	go func() { _ = srv.Serve(ln) }() // ends with Close
	t.Cleanup(func() { _ = srv.Close() })
	k.url = fmt.Sprintf("http://%s/", ln.Addr())
	return k
}

// rotate makes a new pair. The old ones are no longer accepted: at once, or, with
// overlap, the last one only after the next rotation.
func (k *keys) rotate(overlap bool) {
	k.made++
	next := pair{fmt.Sprintf("KEY%d", k.made), fmt.Sprintf("secret-of-key-%d", k.made)}
	old := k.valid[max(0, len(k.valid)-1):]
	k.valid = append(old[:len(old):len(old)], next)
	k.tellServer()
	k.mu.Lock()
	k.current = next
	k.mu.Unlock()
	k.replace(k.file, fmt.Appendf(nil, "[default]\naws_access_key_id = %s\naws_secret_access_key = %s\n", next.id, next.secret))
	if !overlap {
		k.valid = []pair{next}
		k.tellServer()
	}
}

// tellServer writes the accounts as versitygw keeps them
// (https://github.com/versity/versitygw/wiki/Multi-Tenant).
func (k *keys) tellServer() {
	type account struct {
		Access string `json:"access"`
		Secret string `json:"secret"`
		Role   string `json:"role"`
	}
	accounts := map[string]account{}
	for _, p := range k.valid {
		accounts[p.id] = account{p.id, p.secret, "admin"}
	}
	b, err := json.Marshal(map[string]any{"accessAccounts": accounts})
	if err != nil {
		k.t.Fatal(err)
	}
	k.replace(filepath.Join(k.iam, "users.json"), b)
}

// replace writes a file at once, as tools that rotate keys do.
func (k *keys) replace(path string, b []byte) {
	if err := os.WriteFile(path+".new", b, 0o600); err != nil {
		k.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		k.t.Fatal(err)
	}
}

// serve answers as the metadata service of a container does, with keys for a few
// seconds (https://docs.aws.amazon.com/sdkref/latest/guide/feature-container-credentials.html).
func (k *keys) serve(w http.ResponseWriter, _ *http.Request) {
	k.mu.Lock()
	p := k.current
	k.mu.Unlock()
	_ = json.NewEncoder(w).Encode(map[string]string{ // the client asks again
		"AccessKeyId": p.id, "SecretAccessKey": p.secret,
		"Expiration": time.Now().Add(5 * time.Second).UTC().Format(time.RFC3339),
	})
}

// byFile and byService are the environments of mounts that find the keys in the
// shared file, or ask the service.
func (k *keys) byFile() []string {
	return []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_SHARED_CREDENTIALS_FILE=" + k.file}
}

func (k *keys) byService() []string {
	return []string{"AWS_ACCESS_KEY_ID=", "AWS_SECRET_ACCESS_KEY=", "AWS_CONTAINER_CREDENTIALS_FULL_URI=" + k.url}
}
