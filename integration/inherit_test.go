package integration

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestInheritedFiles checks open files that a program inherits from its parent and
// closes. The close uploads the data that the program has written. Data that only the
// parent has written are uploaded when the parent closes the file.
func TestInheritedFiles(t *testing.T) {
	harness.Run(t, harness.Config{}, func(t *testing.T, w *harness.World) {
		m, bucket, _ := mountOf(t, w)
		f, err := os.OpenFile(m.Path("f"), syscall.O_CREAT|syscall.O_WRONLY, 0o644)
		must(t, err)
		_, err = f.WriteString("ours\n")
		must(t, err)
		start := func(script string, inherits ...*os.File) {
			cmd := exec.Command("sh", "-c", script)
			cmd.Dir, cmd.ExtraFiles = w.Work, inherits
			must(t, cmd.Run())
		}
		start("true")
		start("true", f)
		wantNoObject(t, w, bucket, "f")
		start("echo theirs >&3", f)
		wantObject(t, w, bucket, "f", []byte("ours\ntheirs\n"))
		_, err = f.WriteString("ours again\n")
		must(t, err)
		must(t, f.Close())
		wantObject(t, w, bucket, "f", []byte("ours\ntheirs\nours again\n"))
		m.Unmount(t)
	})
}
