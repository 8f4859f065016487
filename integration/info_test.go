package integration

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestInfo asks a mount for the objects behind its files.
func TestInfo(t *testing.T) {
	t.Parallel()
	run(t, "info", func(t *testing.T, w *harness.World) {
		bucket := w.Bucket(t)
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket + ":p", Args: []string{"--tag", "team=x"}})
		must(t, os.Mkdir(m.Path("d"), 0o755))
		must(t, os.WriteFile(m.Path("d/a file"), []byte("content"), 0o640))
		must(t, os.Symlink("a file", m.Path("d/link")))
		r := m.Command(t, "info", "--json", "--url", "1h", m.Path("d/a file"))
		var o struct {
			Key, Kind, URL string
			Size           int64
			Exists         bool
			Tags, Metadata map[string]string
		}
		if err := json.Unmarshal([]byte(r.Out), &o); err != nil || r.Code != 0 {
			t.Fatalf("code %d, %v: %s", r.Code, err, r.Out)
		}
		if o.Key != "p/d/a file" || o.Kind != "file" || o.Size != 7 || !o.Exists || o.Tags["team"] != "x" || o.Metadata["mode"] == "" {
			t.Errorf("%+v", o)
		}
		resp, err := http.Get(o.URL)
		must(t, err)
		defer resp.Body.Close()
		if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "content" {
			t.Errorf("the URL gives %q, %v", body, err)
		}
		r = m.Command(t, "info", m.Path("d"), m.Path("d/link"), m.Path())
		for _, want := range []string{"(directory)", "p/d/", "(symlink)", "p/d/link", "none in S3"} {
			if !strings.Contains(r.Out, want) {
				t.Errorf("it does not say %q:\n%s", want, r.Out)
			}
		}
		if r := m.Command(t, "info", m.Path("absent"), m.Path("d")); r.Code != 1 || !strings.Contains(r.Out, "no such file") || !strings.Contains(r.Out, "p/d/") {
			t.Errorf("an absent file: code %d, %s", r.Code, r.Out)
		}
		if r := m.Command(t, "restore", "--wait", m.Path("d/a file")); r.Code != 0 || !strings.Contains(r.Out, "1 file can be read") {
			t.Errorf("restore of a file that is not archived: code %d, %s", r.Code, r.Out)
		}
	})
}
