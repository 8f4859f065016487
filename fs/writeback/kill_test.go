package writeback

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// killEnv makes the test binary the process that is killed. It holds the endpoint and the working
// directory.
const killEnv = "WRITEBACK_KILL"

// killed returns a manager over a server. Both processes use it.
func killed(t *testing.T, endpoint, dir string) *Manager {
	t.Helper()
	c, err := s3.New(s3.Options{Endpoint: endpoint, Region: "us-east-1", Addressing: s3.AddressingPath})
	if err != nil {
		t.Fatal(err)
	}
	o := Defaults()
	o.Bucket = "bucket"
	o.SpoolDir, o.RecoveryDir, o.StateDir, o.JournalDir = dir+"/spool", dir+"/recovery", dir+"/state", dir+"/journal"
	o.Journal = true
	o.PartSize = s3.MinPartSize
	o.Logger = slog.New(slog.DiscardHandler)
	o.OpenBase = func(v Version) BaseReader { return getReader{c, v} }
	m, err := New(c, cache.NewPool(cache.NewBudget(64<<20)), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TestKilledProcess is the process that is killed. It writes files without end and prints the files
// that its journal has. Without killEnv it does nothing.
func TestKilledProcess(t *testing.T) {
	endpoint, dir, ok := strings.Cut(os.Getenv(killEnv), " ")
	if !ok {
		return
	}
	m := killed(t, endpoint, dir)
	stream := m.Open(OpenInput{Key: "stream"})
	mustWrite(t, stream, random(12<<20, 0), 0)
	stream.mu.Lock()
	created := stream.stream.created
	stream.mu.Unlock()
	<-created // an upload is recorded once its creation was answered
	for i := 0; ; i++ {
		f := m.Open(OpenInput{Key: fmt.Sprint("file", i)})
		mustWrite(t, f, random(10_000+i, uint64(i)), 0)
		mustPersist(t, f)
		fmt.Println("has", i)
	}
}

// TestKill kills a process with SIGKILL while it writes. The next start must write the content of
// its journal to S3, and leave no upload.
func TestKill(t *testing.T) {
	for _, acks := range []int{1, 20} {
		srv := s3test.NewServer(t, s3test.Options{Buckets: []string{"bucket"}})
		dir := t.TempDir()
		child := exec.Command(os.Args[0], "-test.run=^TestKilledProcess$")
		child.Env = append(os.Environ(), killEnv+"="+srv.URL()+" "+dir)
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		promised := 0
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.HasPrefix(lines.Text(), "has ") {
				promised++
			}
			if promised == acks {
				_ = child.Process.Kill()
			}
		}
		_ = child.Wait() // its error is the kill
		if promised < acks {
			t.Fatalf("the process died by itself after %d files", promised)
		}
		m := killed(t, srv.URL(), dir)
		if _, err := m.Replay(context.Background(), noChanges); err != nil {
			t.Fatal(err)
		}
		if _, err := m.AbortOrphans(context.Background()); err != nil {
			t.Fatal(err)
		}
		for i := range promised {
			got, _, _ := srv.Object("bucket", fmt.Sprint("file", i))
			sameContent(t, fmt.Sprint("file", i), got, random(10_000+i, uint64(i)))
		}
		if n := srv.Uploads("bucket"); n != 0 {
			t.Errorf("%d uploads are left", n)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}
