package integration

import (
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// TestCannotMount checks that a failed mount prints its reason in one line, exits with
// the documented status and leaves no mount behind.
func TestCannotMount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		code int
		says []string // words that the line must have
		args func(t *testing.T, w *harness.World) (args, env []string)
	}{
		{"missing bucket", 6, []string{"no-such-bucket"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", w.Endpoint, "no-such-bucket", w.Dir(t, "mnt")}, harness.Credentials()
		}},
		{"wrong secret", 5, []string{}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, w.Dir(t, "mnt")},
				[]string{"AWS_ACCESS_KEY_ID=" + harness.AccessKey, "AWS_SECRET_ACCESS_KEY=wrong-secret"}
		}},
		{"unknown access key", 5, []string{}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, w.Dir(t, "mnt")},
				[]string{"AWS_ACCESS_KEY_ID=NOBODY", "AWS_SECRET_ACCESS_KEY=wrong-secret"}
		}},
		{"no credentials", 5, []string{"credentials"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, w.Dir(t, "mnt")}, nil
		}},
		{"anonymous", 6, []string{}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--no-sign-request", "--endpoint", w.Endpoint, w.Bucket(t).Bucket, w.Dir(t, "mnt")}, nil
		}},
		{"unreachable endpoint", 7, []string{"127.0.0.1"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", "http://127.0.0.1:1", "bucket", w.Dir(t, "mnt")}, harness.Credentials()
		}},
		{"silent endpoint", 7, []string{"127.0.0.1"}, func(t *testing.T, w *harness.World) (args, env []string) {
			ln, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
			must(t, err)
			t.Cleanup(func() { _ = ln.Close() })
			return []string{"--endpoint", "http://" + ln.Addr().String(), "bucket", w.Dir(t, "mnt")}, harness.Credentials()
		}},
		{"bad endpoint", 2, []string{"--endpoint"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", "ftp://x", "bucket", w.Dir(t, "mnt")}, harness.Credentials()
		}},
		{"unknown option", 2, []string{"--frobnicate"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--frobnicate", "bucket", w.Dir(t, "mnt")}, nil
		}},
		{"no arguments", 2, nil, func(t *testing.T, w *harness.World) (args, env []string) { return nil, nil }},
		{"bad bucket name", 2, []string{"Bad_Bucket"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"Bad_Bucket!", w.Dir(t, "mnt")}, harness.Credentials()
		}},
		{"missing mountpoint", 3, []string{"missing"}, func(t *testing.T, w *harness.World) (args, env []string) {
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, filepath.Join(w.Work, "missing")}, harness.Credentials()
		}},
		{"mountpoint is a file", 3, []string{"afile"}, func(t *testing.T, w *harness.World) (args, env []string) {
			f := filepath.Join(w.Work, "afile")
			must(t, os.WriteFile(f, nil, 0o644))
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, f}, harness.Credentials()
		}},
		{"mountpoint not empty", 3, []string{"empty"}, func(t *testing.T, w *harness.World) (args, env []string) {
			d := w.Dir(t, "mnt")
			must(t, os.WriteFile(filepath.Join(d, "x"), nil, 0o644))
			return []string{"--endpoint", w.Endpoint, w.Bucket(t).Bucket, d}, harness.Credentials()
		}},
		{"already mounted", 3, []string{"mounted"}, func(t *testing.T, w *harness.World) (args, env []string) {
			m, bucket, _ := mountOf(t, w)
			return []string{"--endpoint", w.Endpoint, bucket.Bucket, m.Dir}, harness.Credentials()
		}},
	} {
		run(t, c.name, func(t *testing.T, w *harness.World) {
			args, env := c.args(t, w)
			before, err := harness.FuseMounts(w.Work)
			must(t, err)
			args = append([]string{"--state-dir", w.Dir(t, "state")}, args...)
			r := w.Exec(t, env, "env", append([]string{"-i"}, slices.Concat(env, []string{"HOME=" + w.Work, "PATH=" + os.Getenv("PATH"), "AWS_EC2_METADATA_DISABLED=true", w.Binary}, args)...)...)
			if r.Code != c.code {
				t.Errorf("exit status %d, want %d", r.Code, c.code)
			}
			if n := strings.Count(r.Out, "\n"); n != 1 || len(r.Out) > 400 {
				t.Errorf("said %d lines, want one short one", n)
			}
			for _, word := range c.says {
				if !strings.Contains(r.Out, word) {
					t.Errorf("does not mention %q", word)
				}
			}
			if strings.Contains(r.Out, "wrong-secret") || strings.Contains(r.Out, harness.SecretKey) {
				t.Error("told a secret")
			}
			t.Log(r.Out)
			after, err := harness.FuseMounts(w.Work)
			must(t, err)
			if len(after) != len(before) {
				t.Errorf("mounts before %v, after %v", before, after)
			}
		})
	}
}

// TestHelp checks that --help and --version work without anything else.
func TestHelp(t *testing.T) {
	t.Parallel()
	run(t, "help", func(t *testing.T, w *harness.World) {
		r := w.Exec(t, nil, w.Binary, "--help")
		if r.Code != 0 {
			t.Errorf("exit status %d\n%s", r.Code, r.Out)
		}
		for _, option := range []string{"endpoint", "region", "profile", "path-style", "virtual-host", "no-sign-request", "read-only", "allow-other",
			"uid", "gid", "file-mode", "dir-mode", "metadata-ttl", "memory-limit", "log-level", "log-format", "debug", "foreground"} {
			if !strings.Contains(r.Out, "--"+option) {
				t.Errorf("the help does not tell of --%s", option)
			}
		}
		if n := strings.Count(r.Out, "\n"); n > 72 { // one screen of a large terminal
			t.Errorf("the help has %d lines, want 72 at most", n)
		}
	})
	run(t, "version", func(t *testing.T, w *harness.World) {
		r := w.Exec(t, nil, w.Binary, "--version")
		if r.Code != 0 || !strings.HasPrefix(r.Out, "s3mount ") {
			t.Errorf("exit status %d, said %q", r.Code, r.Out)
		}
	})
}
