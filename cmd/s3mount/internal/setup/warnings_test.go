package setup

import (
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
)

// TestPlainHTTPWarns checks the warning about an endpoint without encryption, for each source
// of the endpoint.
func TestPlainHTTPWarns(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	for _, tc := range []struct {
		args  string
		env   string
		warns bool
	}{
		{"--endpoint http://minio.example.com", "", true},
		{"", "http://192.0.2.1:9000", true},
		{"--endpoint http://minio.example.com --no-sign-request", "", false},
		{"--endpoint https://minio.example.com", "", false},
		{"--endpoint http://127.0.0.1:9000", "http://minio.example.com", false},
		{"--endpoint http://[::1]:9000", "", false},
		{"--endpoint http://s3.localhost:9000", "", false},
		{"", "", false},
	} {
		s, _, err := parsed(strings.Fields(tc.args + " bucket /mnt"))
		if err != nil {
			t.Fatal(err)
		}
		lookup := func(name string) (string, bool) { return tc.env, name == "AWS_ENDPOINT_URL" && tc.env != "" }
		if _, err := ClientOptions(context.Background(), s, lookup, slog.New(slog.DiscardHandler)); err != nil {
			t.Fatal(err)
		}
		notes := Warnings(s)
		if (len(notes) > 0) != tc.warns || tc.warns && !strings.Contains(notes[0], "not encrypted") {
			t.Errorf("%s with %q: %q", tc.args, tc.env, notes)
		}
	}
}
