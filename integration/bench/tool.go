package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/integration/harness"
)

// These are the names of the forms of s3mount.
const (
	toolRaw     = "raw"     // package s3 without a mount
	toolJournal = "journal" // s3mount --durability=journal
	toolOwn     = "s3mount"
)

// allTools lists the tools in the order of the columns.
var allTools = []string{toolRaw, toolOwn, toolJournal, "s3fs", "rclone", "geesefs", "goofys"}

// unpackaged lists the peers without a Debian package or a Go module that can be
// pinned. They are measured if their programs are in PATH.
var unpackaged = []string{"geesefs", "goofys"}

// defaultTools returns all tools but the unpackaged ones that are not in PATH.
func defaultTools() []string {
	return slices.DeleteFunc(slices.Clone(allTools), func(name string) bool {
		if !slices.Contains(unpackaged, name) {
			return false
		}
		_, err := exec.LookPath(name)
		return err != nil
	})
}

// isPeer reports whether a tool belongs to another project.
func isPeer(tool string) bool { return tool != toolRaw && tool != toolOwn && tool != toolJournal }

// mountpoint contains the arguments of a mount.
type mountpoint struct {
	binary, endpoint, bucket string
	dir                      string   // the mountpoint
	state                    string   // directory for files of the tool
	cached                   bool     // whether to cache data on disk, in state
	options                  []string // of s3mount
}

// tool is a program that mounts in the foreground.
type tool struct {
	name    string
	prepare func(dir string) (binary string, err error)
	command func(m mountpoint) *exec.Cmd
	env     func(endpoint string) []string
}

func tools() []tool {
	ownEnv := func(string) []string { return harness.Credentials() }
	return []tool{
		{name: toolOwn, prepare: harness.BuildS3mount, env: ownEnv, command: ownCommand("s3")},
		{name: toolJournal, prepare: harness.BuildS3mount, env: ownEnv, command: ownCommand("journal")},
		{name: "s3fs", prepare: func(string) (string, error) { return exec.LookPath("s3fs") }, command: s3fsCommand,
			env: func(string) []string {
				return []string{"AWSACCESSKEYID=" + harness.AccessKey, "AWSSECRETACCESSKEY=" + harness.SecretKey}
			}},
		{name: "rclone", prepare: func(string) (string, error) { return harness.Tool("bench/peers", "rclone") }, command: rcloneCommand,
			env: func(endpoint string) []string {
				return []string{
					"RCLONE_CONFIG=/dev/null", "RCLONE_S3_PROVIDER=Other", "RCLONE_S3_ENDPOINT=" + endpoint, "RCLONE_S3_REGION=" + harness.Region,
					"RCLONE_S3_ACCESS_KEY_ID=" + harness.AccessKey, "RCLONE_S3_SECRET_ACCESS_KEY=" + harness.SecretKey,
				}
			}},
		inPath("geesefs"),
		inPath("goofys"),
	}
}

// inPath returns GeeseFS or goofys, from which it descends. Both have the same options.
func inPath(name string) tool {
	return tool{name: name, prepare: func(string) (string, error) { return exec.LookPath(name) },
		command: func(m mountpoint) *exec.Cmd {
			return exec.Command(m.binary, "-f", "--endpoint", m.endpoint, "--region", harness.Region, m.bucket, m.dir)
		},
		env: func(string) []string {
			return []string{"AWS_ACCESS_KEY_ID=" + harness.AccessKey, "AWS_SECRET_ACCESS_KEY=" + harness.SecretKey}
		}}
}

func ownCommand(durability string) func(mountpoint) *exec.Cmd {
	return func(m mountpoint) *exec.Cmd {
		args := []string{"--foreground", "--endpoint", m.endpoint, "--state-dir", m.state, "--durability", durability}
		if m.cached {
			// The data of the bench may leave less free space than the default of the
			// cache.
			args = append(args, "--cache", filepath.Join(m.state, "cache"), "--cache-min-free", "64M")
		}
		return exec.Command(m.binary, slices.Concat(args, m.options, []string{m.bucket, m.dir})...)
	}
}

func s3fsCommand(m mountpoint) *exec.Cmd {
	options := "use_path_request_style,listobjectsv2,dbglevel=err,url=" + m.endpoint + ",tmpdir=" + m.state
	if m.cached {
		options += ",use_cache=" + filepath.Join(m.state, "cache")
	}
	return exec.Command(m.binary, m.bucket, m.dir, "-f", "-o", options)
}

// rcloneCommand uses --vfs-cache-mode writes, because rclone cannot write like an
// application without it.
func rcloneCommand(m mountpoint) *exec.Cmd {
	mode := "writes"
	if m.cached {
		mode = "full"
	}
	return exec.Command(m.binary, "mount", "--vfs-cache-mode", mode, "--cache-dir", m.state, ":s3:"+m.bucket, m.dir)
}

// mounted is a running tool.
type mounted struct {
	dir, log string
	proc     *harness.Process
}

// mountPatience bounds mounting and unmounting. Both take half a second, unless a peer
// still uploads data.
const mountPatience = 30 * time.Second

// mount starts the tool under the directory work.
func (t tool) mount(m mountpoint, work string) (*mounted, error) {
	m.dir, m.state = filepath.Join(work, "mnt"), filepath.Join(work, "state")
	for _, d := range []string{m.dir, m.state} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make a directory for %s: %w", t.name, err)
		}
	}
	at := &mounted{dir: m.dir, log: filepath.Join(work, t.name+".log")}
	log, err := os.OpenFile(at.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make the log of %s: %w", t.name, err)
	}
	defer log.Close()
	cmd := t.command(m)
	cmd.Dir = work
	cmd.Env = slices.Concat(harness.Environment(), t.env(m.endpoint), []string{"HOME=" + work})
	cmd.Stdout, cmd.Stderr = log, log
	if at.proc, err = harness.Start(cmd); err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(mountPatience); ; {
		ms, err := harness.FuseMounts(at.dir)
		if err != nil || len(ms) > 0 {
			return at, err
		}
		select {
		case <-at.proc.Done():
			return nil, fmt.Errorf("%s ended before it had mounted: %w\n%s", t.name, at.proc.Err(), harness.Tail(at.log, 10))
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return nil, errors.Join(fmt.Errorf("%s has not mounted after %v", t.name, mountPatience), at.kill())
		}
	}
}

// end unmounts and waits for the process. It kills both after mountPatience.
func (m *mounted) end() error {
	late := time.After(mountPatience)
	umount, err := harness.Start(exec.Command("umount", m.dir))
	if err != nil {
		return errors.Join(err, m.kill())
	}
	select {
	case <-umount.Done():
		err = umount.Err()
	case <-late:
		umount.Signal(syscall.SIGKILL) // do not wait for it, because it may hang in the kernel
		return errors.Join(fmt.Errorf("umount: %w", errTimeout), m.kill())
	}
	if err != nil {
		return errors.Join(fmt.Errorf("umount: %w", err), m.kill())
	}
	select {
	case <-m.proc.Done():
		return nil
	case <-late:
		return errors.Join(fmt.Errorf("end of the process: %w", errTimeout), m.kill())
	}
}

// kill aborts the mount and kills its process. It waits for neither.
func (m *mounted) kill() error {
	ms, err := harness.FuseMounts(m.dir)
	for _, f := range ms {
		err = errors.Join(err, f.Abort())
	}
	m.proc.Signal(syscall.SIGKILL)
	return err
}
