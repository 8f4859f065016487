package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
)

// TestNewKeysAreReadFromTheFile: a mount lives longer than its keys.
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
	s, _, err := parseArgs([]string{"bucket", "/mnt"})
	if err != nil {
		t.Fatal(err)
	}
	o, err := clientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler))
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
