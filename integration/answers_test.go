package integration

import (
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/s3mount/s3mount/integration/answers"
	"github.com/s3mount/s3mount/integration/harness"
	"github.com/s3mount/s3mount/s3/s3test"
)

// answersOp writes the report of package answers for a directory to a file.
func answersOp(args []string) error {
	f, err := os.Create(args[1])
	if err != nil {
		return err
	}
	if err := answers.Run(args[0], f); err != nil {
		return err
	}
	return f.Close()
}

// TestAnswers checks that the mount answers system calls like tmpfs, except for the
// differences that fs/README.md lists with their reasons.
func TestAnswers(t *testing.T) {
	t.Parallel()
	t.Run("all", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true, Timeout: 8 * time.Minute}, testAnswers)
	})
}

func testAnswers(t *testing.T, w *harness.World) {
	local := w.Dir(t, "local")
	// As the mount is: neither device nodes nor setuid programs work on it.
	must(t, unix.Mount("tmpfs", local, "tmpfs", unix.MS_NODEV|unix.MS_NOSUID, ""))
	t.Cleanup(func() { must(t, unix.Unmount(local, unix.MNT_DETACH)) })
	// Any key can be beside any other on this server, as on S3.
	srv := s3test.NewServer(t, s3test.Options{AccessKey: harness.AccessKey, SecretKey: harness.SecretKey, Buckets: []string{"answers"}})
	m := w.Mount(t, harness.MountOptions{Endpoint: srv.URL(), Source: "answers", Args: []string{"--allow-other", "--log-level", "warn"}})
	want, got := report(t, w, local), report(t, w, m.Dir)
	if len(want) < leastAnswers {
		t.Fatalf("only %d answers, want %d", len(want), leastAnswers)
	}
	used := map[string]int{}
	wrong := 0
	for question, answer := range want {
		if got[question] == answer {
			continue
		}
		if d := findDifference(question); d != nil {
			used[d.about]++
			continue
		}
		wrong++
		if wrong <= 50 {
			t.Errorf("%s is %q, on a local disk %q", question, got[question], answer)
		}
	}
	for question, answer := range got {
		if _, ok := want[question]; !ok && findDifference(question) == nil {
			t.Errorf("%s is %q, and is not asked on a local disk", question, answer)
		}
	}
	for _, d := range differences {
		if used[d.about] == 0 {
			t.Errorf("nothing differs any more of what is said of: %s", d.about)
		}
	}
	t.Logf("%d answers, %d of them differ without a reason; with one: %v", len(want), wrong, used)
}

// leastAnswers: fewer mean that cases were lost.
const leastAnswers = 13_000

// report gives the answers to the questions of package answers.
func report(t *testing.T, w *harness.World, dir string) map[string]string {
	t.Helper()
	to := w.Dir(t, "report") + "/lines"
	if r := w.Op(t, "answers", dir, to); r.Code != 0 {
		t.Fatalf("the report of %s ended with %d: %s", dir, r.Code, r.Out)
	}
	b, err := os.ReadFile(to)
	must(t, err)
	m := map[string]string{}
	for line := range strings.Lines(string(b)) {
		question, answer, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " = ")
		for _, taken := m[question]; taken; _, taken = m[question] {
			question += " again"
		}
		m[question] = answer
	}
	return m
}
