package integration

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestP9UnusableHints checks that the mount ignores hints that are damaged or that the
// server does not list, and logs one line for each.
func TestP9UnusableHints(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, proxy *harness.Proxy, hints string){
		"one changed byte": func(t *testing.T, _ *harness.Proxy, hints string) { rewriteHints(t, hints, flipByte) },
		"one bit of the last byte": func(t *testing.T, _ *harness.Proxy, hints string) {
			rewriteHints(t, hints, func(b []byte) []byte { b[len(b)-1] ^= 1; return b })
		},
		"other bytes": func(t *testing.T, _ *harness.Proxy, hints string) {
			rewriteHints(t, hints, func(b []byte) []byte { return make([]byte, len(b)) })
		},
		"forbidden": func(_ *testing.T, proxy *harness.Proxy, _ string) {
			proxy.Inject(harness.Fault{Status: http.StatusForbidden, Code: "AccessDenied", Match: func(r *harness.Request) bool {
				return strings.HasPrefix(r.Key, ".s3mount/attrs/")
			}})
		},
		"missing": func(t *testing.T, _ *harness.Proxy, hints string) { must(t, os.RemoveAll(hints)) },
	} {
		run(t, name, func(t *testing.T, w *harness.World) {
			server := w.Gateway(t, harness.ServerOptions{})
			bucket, proxy := w.BucketOn(t, server.Endpoint), w.ProxyOn(t, server.Endpoint, harness.Shape{})
			o := harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket}
			m := w.Mount(t, o)
			w.Sh(t, m.Dir, `mkdir d; echo one >d/one; chmod 600 d/one; echo two >d/two; ln -s one d/link`)
			m.Unmount(t)
			spoil(t, proxy, filepath.Join(server.Data, bucket.Bucket, ".s3mount/attrs"))
			m = w.Mount(t, o)
			got := w.Sh(t, m.Dir, `ls d; ls -l d >/dev/null; cat d/one d/two; mv d/two d/three; echo four >d/four; cat d/three; rm d/three; ls d`)
			if want := "link\none\ntwo\none\ntwo\ntwo\nfour\nlink\none\n"; got != want {
				t.Errorf("with unusable hints, the commands print %q, want %q", got, want)
			}
			m.Unmount(t)
			log, err := os.ReadFile(m.Log)
			must(t, err)
			if lines := strings.Count(string(log), "an attribute index is not used"); lines > 2 {
				t.Errorf("%d lines are logged for two hints", lines)
			}
			proxy.Heal()
			m = w.Mount(t, o)
			if got := w.Sh(t, m.Dir, `stat -c %a d/one; cat d/four`); got != "600\nfour\n" && (name != "missing" || got != "644\nfour\n") {
				t.Errorf("after the next write, the commands print %q", got)
			}
		})
	}
}

// rewriteHints changes the bytes of all hints, behind the back of the server.
func rewriteHints(t *testing.T, hints string, change func([]byte) []byte) {
	t.Helper()
	found, err := os.ReadDir(hints)
	must(t, err)
	if len(found) == 0 {
		t.Fatal("there are no hints")
	}
	for _, d := range found {
		p := filepath.Join(hints, d.Name())
		b, err := os.ReadFile(p)
		must(t, err)
		f, err := os.OpenFile(p, os.O_WRONLY, 0) // in place, so that the server keeps the ETag and the checksum
		must(t, err)
		_, err = f.Write(change(b))
		must(t, err)
		must(t, f.Close())
	}
}

func flipByte(b []byte) []byte {
	b[len(b)/2] ^= 0xff
	return b
}
