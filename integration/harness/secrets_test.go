package harness

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestLeaks(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"output":                  "fine\nkey " + SecretKey + "\n",
		"a/s3mount-1.log":         "Authorization: Credential=x, Signature=0123\n",
		"a/s3mount-2.log":         "fine, of " + AccessKey + "\n",
		"server1/data/b/file.log": SecretKey,
		"server1/versitygw.log":   SecretKey,
		"credentials":             SecretKey,
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := leaks(dir)
	if strings.Count(got, "\n") != 2 || !strings.Contains(got, "/output: key ") || !strings.Contains(got, "s3mount-1.log: Authorization") {
		t.Errorf("found:\n%s", got)
	}
}
