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

// killEnv makes the test binary the process that is killed: the endpoint and
// the directory that it works in.
const killEnv = "WRITEBACK_KILL"

// killed is a manager over a server, as both processes make it.
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

// TestKilledProcess is the process that is killed; by itself it does nothing.
// It writes files without end and says which its journal has.
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
	<-created // an upload is known once its creation was answered
	for i := 0; ; i++ {
		f := m.Open(OpenInput{Key: fmt.Sprint("file", i)})
		mustWrite(t, f, random(10_000+i, uint64(i)), 0)
		mustPersist(t, f)
		fmt.Println("has", i)
	}
}

// TestKill kills a process with SIGKILL while it writes: what its journal has
// taken comes to S3 with the next start, and no upload is left behind.
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
		_ = child.Wait() // killed: its error is what we did
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
