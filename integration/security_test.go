package integration

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/s3mount/s3mount/integration/harness"
)

// nobody is the user and group that root becomes here, as Debian has them.
const nobody = 65534

// TestUser checks that root can mount for a process without privileges, which serves
// and unmounts.
func TestUser(t *testing.T) {
	t.Parallel()
	t.Run("root", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, testUser)
	})
}

func testUser(t *testing.T, w *harness.World) {
	bucket, state := w.Bucket(t), w.Dir(t, "state")
	must(t, os.Chown(state, nobody, nobody))
	m := w.Mount(t, harness.MountOptions{
		Endpoint: w.Endpoint, Source: bucket.Bucket, State: state,
		Args: []string{"--user", "nobody", "--allow-other", "-o", "noexec"},
	})
	wantUnprivileged(t, m.PID())
	must(t, os.WriteFile(m.Path("f"), []byte("x"), 0o644))
	wantObject(t, w, bucket, "f", []byte("x"))
	var st syscall.Stat_t
	must(t, syscall.Stat(m.Path(), &st))
	if st.Uid != nobody || st.Gid != nobody {
		t.Errorf("the root of the mount belongs to %d:%d", st.Uid, st.Gid)
	}
	mounts, err := os.ReadFile("/proc/mounts")
	must(t, err)
	if want := bucket.Bucket + " " + m.Dir + " fuse.s3mount rw,nosuid,nodev,noexec,relatime,user_id=65534,group_id=65534,default_permissions,allow_other"; !strings.Contains(string(mounts), want) {
		t.Errorf("no %q in\n%s", want, mounts)
	}
	m.Terminate(t)
	m = m.Again(t)
	m.Unmount(t)
	// A mount that fails after the mount system call leaves no mount behind.
	dir := w.Dir(t, "mnt")
	r := w.Exec(t, append(harness.Environment(), harness.Credentials()...), w.Binary, "--endpoint", w.Endpoint, "--user", "nobody", "--state-dir", state, "no-such-bucket", dir)
	if ms, err := harness.FuseMounts(dir); r.Code != 6 || err != nil || len(ms) > 0 || strings.Count(r.Out, "\n") != 1 {
		t.Errorf("exit status %d, said %q, left %v (%v)", r.Code, r.Out, ms, err)
	}
}

// wantUnprivileged checks that no thread of a process has a right of root.
func wantUnprivileged(t *testing.T, pid int) {
	t.Helper()
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	must(t, err)
	if len(tasks) == 0 {
		t.Errorf("the process %d has no threads", pid)
	}
	for _, task := range tasks {
		status, err := os.ReadFile(task)
		if err != nil {
			continue // the thread has ended
		}
		for _, want := range []string{
			"Uid:\t65534\t65534\t65534\t65534\n", "Gid:\t65534\t65534\t65534\t65534\n", "Groups:\t65534 \n",
			"CapPrm:\t0000000000000000\n", "CapEff:\t0000000000000000\n",
		} {
			if !strings.Contains(string(status), want) {
				t.Errorf("%s lacks %q:\n%s", task, want, status)
			}
		}
	}
}

// TestUserConfiguration checks that --user reads the AWS configuration of that
// user, and that its credential_process runs without the groups of root.
func TestUserConfiguration(t *testing.T) {
	t.Parallel()
	t.Run("root", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, testUserConfiguration)
	})
}

func testUserConfiguration(t *testing.T, w *harness.World) {
	harness.Need(t, "setpriv", "unshare")
	home, state, mnt := w.Dir(t, "home"), w.Dir(t, "state"), w.Dir(t, "mnt")
	files := map[string]string{
		"passwd":      "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::" + home + ":/bin/sh\n",
		"keys":        fmt.Sprintf("id -G >%s/groups\necho '{\"Version\":1,\"AccessKeyId\":\"%s\",\"SecretAccessKey\":\"%s\"}'\n", home, harness.AccessKey, harness.SecretKey),
		".aws/config": "[default]\ncredential_process = sh " + home + "/keys\n",
	}
	must(t, os.Mkdir(filepath.Join(home, ".aws"), 0o755))
	for name, text := range files {
		must(t, os.WriteFile(filepath.Join(home, name), []byte(text), 0o644))
	}
	must(t, os.Chown(home, nobody, nobody))
	must(t, os.Chown(state, nobody, nobody))
	// The bucket does not exist, so that the command ends by itself.
	script := `mount --bind "$0/passwd" /etc/passwd && exec setpriv --groups 0,6,42 "$@"`
	r := w.Exec(t, append(harness.Environment(), "AWS_CONFIG_FILE=", "AWS_SHARED_CREDENTIALS_FILE="), "unshare", "--mount", "sh", "-c", script, home,
		w.Binary, "--foreground", "--endpoint", w.Endpoint, "--user", "nobody", "--state-dir", state, "no-such-bucket", mnt)
	if r.Code != 6 {
		t.Errorf("exit status %d, want 6 for the missing bucket: %s", r.Code, r.Out)
	}
	groups, err := os.ReadFile(filepath.Join(home, "groups"))
	if err != nil || string(groups) != "65534\n" {
		t.Errorf("credential_process has the groups %q, error %v", groups, err)
	}
}

// TestAllowOther checks that other users have access only with --allow-other, and only
// as far as permissions allow.
func TestAllowOther(t *testing.T) {
	t.Parallel()
	t.Run("root", func(t *testing.T) {
		harness.Run(t, harness.Config{NeedRoot: true}, func(t *testing.T, w *harness.World) {
			harness.Need(t, "setpriv")
			bucket := w.Bucket(t)
			asNobody := func(script string) int {
				return w.Exec(t, nil, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "sh", "-c", script).Code
			}
			o := harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--allow-other"}}
			m := w.Mount(t, o)
			must(t, os.WriteFile(m.Path("open"), []byte("x"), 0o644))
			must(t, os.WriteFile(m.Path("closed"), []byte("x"), 0o600))
			if asNobody("cat "+m.Path("open")) != 0 || asNobody("cat "+m.Path("closed")) == 0 || asNobody("echo > "+m.Path("new")) == 0 {
				t.Error("with --allow-other, permissions do not hold for others")
			}
			m.Unmount(t)
			o.Args = nil
			m = w.Mount(t, o)
			if asNobody("stat "+m.Dir) == 0 || asNobody("cat "+m.Path("open")) == 0 {
				t.Error("others come in without --allow-other")
			}
		})
	})
}

// TestDebugLog checks that --debug shows every FUSE and S3 call with the ids of the
// requests, and neither a secret nor data.
func TestDebugLog(t *testing.T) {
	t.Parallel()
	run(t, "file", func(t *testing.T, w *harness.World) {
		bucket := w.Bucket(t)
		m := w.Mount(t, harness.MountOptions{Endpoint: w.Endpoint, Source: bucket.Bucket, Args: []string{"--debug", "--log-format", "json"}})
		must(t, os.WriteFile(m.Path("some name"), []byte("private!"), 0o644))
		_, err := os.ReadFile(m.Path("some name"))
		must(t, err)
		m.Unmount(t)
		log, err := os.ReadFile(m.Log)
		must(t, err)
		for _, want := range []string{"LOOKUP", "CREATE", "WRITE", "FLUSH", `"msg":"s3 attempt","op":"PutObject"`, `"key":"some name"`, `"request_id":"[^"]+"`} {
			if !regexp.MustCompile(want).Match(log) {
				t.Errorf("the log lacks %s", want)
			}
		}
		for _, no := range []string{harness.SecretKey, "Signature=", "X-Amz-Security-Token", "private!"} {
			if strings.Contains(string(log), no) {
				t.Errorf("the log has %s", no)
			}
		}
	})
}
