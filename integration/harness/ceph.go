package harness

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/s3mount/s3mount/integration/servers"
)

// cephPackages are the Debian packages of a Ceph cluster with one gateway. With their
// dependencies there are 86 packages.
var cephPackages = []string{"ceph-mon", "ceph-mgr", "ceph-osd", "ceph-common", "radosgw"}

// cephPrograms are the programs of these packages that a cluster needs.
var cephPrograms = []string{"ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "ceph-authtool", "monmaptool"}

// installCeph installs Ceph with apt-get if root runs the tests.
func installCeph(ctx context.Context) error {
	missing := absent(cephPrograms)
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil || os.Geteuid() != 0 {
		return fmt.Errorf("%s not installed, and only root can install it, by apt-get", strings.Join(missing, ", "))
	}
	install := append([]string{"install", "-q", "-y", "--no-install-recommends"}, cephPackages...)
	for _, args := range [][]string{{"update", "-q"}, install} {
		cmd := exec.CommandContext(ctx, "apt-get", args...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("apt-get %s: %w\n%s", args[0], err, Last(string(out), 5))
		}
	}
	if missing := absent(cephPrograms); len(missing) > 0 {
		return fmt.Errorf("apt-get has not installed %s", strings.Join(missing, ", "))
	}
	return nil
}

// absent returns the programs that are not in PATH.
func absent(programs []string) (missing []string) {
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			missing = append(missing, p)
		}
	}
	return missing
}

// cephCluster is a cluster that is being started. It consists of one monitor, one OSD
// with its data in memory, and one gateway.
type cephCluster struct {
	*Server
	dir string
	env []string
}

// startCeph starts a cluster with all files below dir and returns when its gateway
// answers.
func startCeph(ctx context.Context, dir string) (*Server, error) {
	gateway, err := FreePort()
	if err != nil {
		return nil, err
	}
	monitor, err := FreePort()
	if err != nil {
		return nil, err
	}
	c := &cephCluster{
		Server: &Server{Name: servers.Ceph, Endpoint: "http://" + gateway, Data: dir, Log: filepath.Join(dir, "ceph.log")},
		dir:    dir, env: append(os.Environ(), "CEPH_CONF="+filepath.Join(dir, "ceph.conf")),
	}
	ctx, cancel := context.WithTimeout(ctx, 2*startPatience)
	defer cancel()
	for _, step := range []func() error{
		func() error { return c.writeConfig(gateway, monitor) },
		func() error { return c.makeKeys(ctx) },
		func() error { return c.startMonitor(ctx, monitor) },
		func() error { return c.startOSD(ctx) },
		func() error { return c.startGateway(ctx) },
	} {
		if err := step(); err != nil {
			c.Stop()
			return nil, err
		}
	}
	return c.Server, nil
}

// run runs a tool of Ceph and returns its output.
func (c *cephCluster) run(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = c.env
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, Last(string(out), 10))
	}
	return string(out), nil
}

// runAll runs tools one after the other.
func (c *cephCluster) runAll(ctx context.Context, commands ...[]string) error {
	for _, argv := range commands {
		if _, err := c.run(ctx, argv[0], argv[1:]...); err != nil {
			return err
		}
	}
	return nil
}

// daemon returns the command of a long-running process of the cluster.
func (c *cephCluster) daemon(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, append([]string{"-f"}, args...)...)
	cmd.Env = c.env
	return cmd
}

func (c *cephCluster) keyring() string { return filepath.Join(c.dir, "keyring") }

func (c *cephCluster) writeConfig(gateway, monitor string) error {
	for _, d := range []string{"mon", "osd", "rgw", "run", "log"} {
		if err := os.MkdirAll(filepath.Join(c.dir, d), 0o755); err != nil {
			return fmt.Errorf("make a directory of Ceph: %w", err)
		}
	}
	fsid, err := os.ReadFile("/proc/sys/kernel/random/uuid")
	if err != nil {
		return fmt.Errorf("make an id of the cluster: %w", err)
	}
	config := strings.NewReplacer("@DIR@", c.dir, "@FSID@", strings.TrimSpace(string(fsid)), "@MONITOR@", monitor, "@GATEWAY@", gateway, "@DOMAIN@", VirtualDomain).Replace(cephConfig)
	if err := os.WriteFile(filepath.Join(c.dir, "ceph.conf"), []byte(config), 0o644); err != nil {
		return fmt.Errorf("write Ceph's configuration: %w", err)
	}
	return nil
}

// makeKeys creates a key for each process of the cluster.
func (c *cephCluster) makeKeys(ctx context.Context) error {
	commands := [][]string{{"ceph-authtool", "--create-keyring", c.keyring(), "--gen-key", "-n", "mon.", "--cap", "mon", "allow *"}}
	for _, name := range []string{"client.admin", "osd.0", "client.rgw.r"} {
		commands = append(commands, []string{"ceph-authtool", c.keyring(), "--gen-key", "-n", name,
			"--cap", "mon", "allow *", "--cap", "osd", "allow *", "--cap", "mgr", "allow *"})
	}
	return c.runAll(ctx, commands...)
}

func (c *cephCluster) startMonitor(ctx context.Context, addr string) error {
	monmap := filepath.Join(c.dir, "monmap")
	fsid, err := c.run(ctx, "ceph-conf", "--lookup", "fsid")
	if err != nil {
		return err
	}
	err = c.runAll(ctx,
		[]string{"monmaptool", "--create", "--addv", "a", "[v2:" + addr + "/0]", "--fsid", strings.TrimSpace(fsid), monmap},
		[]string{"ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", c.keyring()})
	if err != nil {
		return err
	}
	return c.startHelper(c.daemon("ceph-mon", "-i", "a"))
}

// startOSD starts the OSD and waits until the monitor knows it.
func (c *cephCluster) startOSD(ctx context.Context) error {
	err := c.runAll(ctx,
		[]string{"ceph", "--connect-timeout", "30", "osd", "create"},
		[]string{"ceph", "osd", "crush", "add", "osd.0", "1", "root=default", "host=localhost"},
		[]string{"ceph-osd", "-i", "0", "--mkfs"})
	if err != nil {
		return err
	}
	if err := c.startHelper(c.daemon("ceph-osd", "-i", "0")); err != nil {
		return err
	}
	for {
		stat, err := c.run(ctx, "ceph", "osd", "stat")
		if err == nil && strings.Contains(stat, "1 up") {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the OSD of Ceph is not up: %w\n%s", context.Cause(ctx), Tail(c.Log, 20)), err)
		case <-time.After(100 * time.Millisecond): // there is no event to wait for
		}
	}
}

// startGateway starts the gateway and creates the account of the tests, which may have
// any number of buckets.
func (c *cephCluster) startGateway(ctx context.Context) error {
	if err := c.start(c.daemon("radosgw", "-n", "client.rgw.r")); err != nil {
		return err
	}
	if err := c.waitReady(ctx, "/", http.StatusOK, http.StatusForbidden); err != nil {
		return err
	}
	_, err := c.run(ctx, "radosgw-admin", "-n", "client.rgw.r", "user", "create", "--uid=test", "--display-name=test",
		"--access-key="+AccessKey, "--secret="+SecretKey, "--max-buckets=0")
	return err
}
