package integration

import (
	"os"
	"os/exec"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestRedirectionStreams checks that the output of a program that a shell has
// redirected reaches S3 while it is written. This includes programs of other users,
// whose descriptors the daemon cannot inspect. In this case it has uploaded an empty
// file when the shell closed its first descriptor.
func TestRedirectionStreams(t *testing.T) {
	t.Parallel()
	t.Run("root", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
			t.Run("same user", func(t *testing.T) { testRedirectionStreams(t, w, nil) })
			t.Run("other user", func(t *testing.T) {
				testRedirectionStreams(t, w, []string{"--user", "nobody", "--allow-other"})
			})
		})
	})
}

func testRedirectionStreams(t *testing.T, w *harness.World, args []string) {
	bucket, state := w.Bucket(t), w.Dir(t, "state")
	if len(args) > 0 {
		must(t, os.Chown(state, nobody, nobody))
	}
	proxy := w.Proxy(t, harness.Shape{})
	m := w.Mount(t, harness.MountOptions{Endpoint: proxy.URL, Source: bucket.Bucket, State: state, Args: args})
	body := payload(1, 40<<20)
	cmd := exec.Command("sh", "-c", `cat > "$1"`, "sh", m.Path("f"))
	cmd.Dir = w.Work // as World.Exec has it
	in, err := cmd.StdinPipe()
	must(t, err)
	must(t, cmd.Start())
	_, err = in.Write(body)
	must(t, err)
	// cat has the file open until its input ends.
	for proxy.Counts()[harness.Part] == 0 {
		tick(t, w, "no part is sent before the end")
	}
	must(t, in.Close())
	must(t, cmd.Wait())
	m.Unmount(t)
	wantObject(t, w, bucket, "f", body)
}
