package settings

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/s3"
)

// writeConfig writes a configuration file for one test.
func writeConfig(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s3mount.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const configOfTwo = `
# for both
endpoint = "http://127.0.0.1:9000"
metadata_ttl = 5
file-mode = 0o640

[mounts.photos]
bucket = "photos:2026"
mountpoint = "/mnt/photos"
read-only = true
memory-limit = "64M"

[mounts."my work"]
bucket = "work"
mountpoint = "/mnt/work"
metadata-ttl = "2m"
path-style = false
virtual-host = true
o = "noexec,uid=7"
`

func TestConfigOfMounts(t *testing.T) {
	path := writeConfig(t, configOfTwo)
	s, _, err := parseArgs([]string{"--config", path, "photos"})
	if err != nil {
		t.Fatal(err)
	}
	if s.Source.Bucket != "photos" || s.Source.Prefix != "2026/" || s.Mountpoint != "/mnt/photos" || s.FS.Source != "photos" ||
		!s.FS.ReadOnly || s.FS.MemoryLimit != 64<<20 || s.FS.MetadataTTL != 5*time.Second || s.FS.FileMode != 0o640 || s.S3.Endpoint == "" {
		t.Errorf("photos: %+v", s)
	}
	s, _, err = parseArgs([]string{"my work", "/mnt/elsewhere", "-o", "config=" + path})
	if err != nil {
		t.Fatal(err)
	}
	if s.Source.Bucket != "work" || s.Mountpoint != "/mnt/elsewhere" || s.FS.ReadOnly || s.FS.MetadataTTL != 2*time.Minute ||
		s.S3.Addressing != s3.AddressingVirtualHost || s.FS.UID != 7 || len(s.FS.MountOptions) != 1 {
		t.Errorf("my work: %+v", s)
	}
	s, _, err = parseArgs([]string{"other", "/mnt"}, "S3MOUNT_CONFIG="+path)
	if err != nil {
		t.Fatal(err)
	}
	if s.Source.Bucket != "other" || s.Mountpoint != "/mnt" || s.FS.FileMode != 0o640 || s.FS.ReadOnly {
		t.Errorf("another bucket: %+v", s)
	}
}

func TestConfigOfOneMount(t *testing.T) {
	path := writeConfig(t, "bucket = 'b'\nmountpoint = '/mnt/b'\nread_only = true\n")
	s, _, err := parseArgs([]string{"--config=" + path})
	if err != nil {
		t.Fatal(err)
	}
	if s.Source.Bucket != "b" || s.Mountpoint != "/mnt/b" || !s.FS.ReadOnly || s.FS.Source != "b" {
		t.Errorf("settings %+v", s)
	}
}

// TestPrecedence says the same option in every place, and takes them away from
// the strongest on.
func TestPrecedence(t *testing.T) {
	path := writeConfig(t, "connections = 2\n[mounts.m]\nbucket='b'\nmountpoint='/m'\nconnections = 3\n")
	base := []string{"--config", path, "m"}
	for _, tc := range []struct {
		args []string
		env  []string
		want int
	}{
		{[]string{"-o", "connections=5", "--connections", "6"}, []string{"S3MOUNT_CONNECTIONS=4"}, 6},
		{[]string{"--connections", "6", "-o", "connections=5"}, []string{"S3MOUNT_CONNECTIONS=4"}, 5},
		{nil, []string{"S3MOUNT_CONNECTIONS=4"}, 4},
		{nil, nil, 3},
	} {
		s, _, err := parseArgs(append(base[:3:3], tc.args...), tc.env...)
		if err != nil || s.FS.Connections != tc.want {
			t.Errorf("%q with %q: %v, error %v; want %d", tc.args, tc.env, s, err, tc.want)
		}
	}
	s, _, err := parseArgs([]string{"--config", path, "b", "/m"})
	if err != nil || s.FS.Connections != 2 {
		t.Errorf("what stands above the tables: %v, error %v", s, err)
	}
	s, _, err = parseArgs([]string{"b", "/m"})
	if err != nil || s.FS.Connections != Defaults().FS.Connections {
		t.Errorf("the default: %v, error %v", s, err)
	}
}

func TestConfigRefuses(t *testing.T) {
	for _, tc := range []struct{ text, args, says string }{
		{"a = 1\n", "b /m", `:1: unknown key "a"`},
		{"\n[mounts.m]\nnonsense = 1\n", "b /m", `:3: unknown key "nonsense"`},
		{"url = 'http://x'", "b /m", "use endpoint=URL"},
		{"\nsecret_access_key = 'verysecret'", "b /m", ":2: secret_access_key: keys and passwords"},
		{"[mounts.m]\naws-session-token = 'verysecret'", "b /m", ":2: aws-session-token"},
		{"f = true", "b /m", `unknown key "f"`},
		{"config = 'x'", "b /m", "cannot name another"},
		{"endpoint = ['a']", "b /m", ":1: endpoint: want one text"},
		{"log-level = 'loud'", "b /m", `:1: log-level: "loud": want debug`},
		{"region = 'a'\nregion = 'b'", "b /m", ":2: "},
		{"region = \n", "b /m", ":1: "},
		{"[photos]\nbucket = 'b'", "b /m", `:1: unknown table "photos"`},
		{"[mounts.a.b]\n", "b /m", `:1: unknown table`},
		{"[[mounts]]\n", "b /m", `:1: mounts: a list of tables`},
		{"mounts = { a = 1 }", "b /m", ":1: unknown key"},
		{"x.y = 1", "b /m", `:1: unknown key "x.y"`},
		{"[mounts.a]\nbucket='a'\nmountpoint='/a'\n[mounts.b]\n", "", "name a mount of"},
		{"[mounts.a]\nbucket='a'\nmountpoint='/a'\n[mounts.b]\n", "c", `named "c": there are a and b`},
		{"[mounts.a]\nbucket='a'\n", "a", "needs the keys bucket and mountpoint"},
		{"[mounts.a]\nmountpoint='/a'\n", "a", "needs the keys bucket and mountpoint"},
		{"[mounts.a]\n", "a", "needs the keys bucket and mountpoint"},
		{"bucket='a'\nmountpoint='a'\n", "", ":2: mountpoint: want an absolute path"},
		{"bucket='a'\n", "", "needs the keys"},
		{"", "", "name a bucket and a mountpoint"},
	} {
		path := writeConfig(t, tc.text)
		_, _, err := parseArgs(append([]string{"--config", path}, strings.Fields(tc.args)...))
		exittest.Want(t, err, exit.Usage, tc.says)
		if err != nil && (strings.Contains(err.Error(), "verysecret") || strings.Contains(err.Error(), "\n")) {
			t.Errorf("%q: error %q", tc.text, err)
		}
	}
	_, _, err := parseArgs([]string{"--config", "/no/such/file", "b", "/m"})
	exittest.Want(t, err, exit.Usage, "/no/such/file")
}

// TestOptionsEverywhere checks for every option that flag, variable, -o and
// key of the file do the same.
func TestOptionsEverywhere(t *testing.T) {
	values := map[string]string{
		"URL": "http://127.0.0.1:1", "NAME": "name", "USER": "0", "GROUP": "0", "MODE": "0700", "TIME": "9s", "SIZE": "77M",
		"N": "3", "DIR": "/some/dir", "FILE": "/some/file", "LIST": "ro", "ADDR": "127.0.0.1:9",
		"KEY": "alias/key", "CLASS": "STANDARD_IA", "KEY=VALUE": "team=a b", "HEADER": "Cache-Control: no-cache",
		"PATTERN=HEADER": "*.css=Content-Type: text/css", "ID": "111122223333",
	}
	for _, o := range Options() {
		value, ok := values[o.Arg]
		switch {
		case o.Name == optionConfig:
			continue
		case o.Arg == "":
			value = "true"
		case !ok: // one of some words, which the value names itself
			err := o.Value(Defaults()).Set("no such word")
			if err == nil {
				t.Errorf("--%s takes any %s: give the test a value for it", o.Name, o.Arg)
				continue
			}
			_, words, _ := strings.Cut(err.Error(), "want ")
			all := strings.Split(words, ", ")
			value = all[len(all)-1]
		}
		want := Defaults()
		if err := o.Value(want).Set(value); err != nil {
			t.Errorf("--%s %s: %v", o.Name, value, err)
			continue
		}
		dashes := "--"
		if len(o.Name) == 1 {
			dashes = "-"
		}
		underscores := strings.ReplaceAll(o.Name, "-", "_")
		ways := map[string]func(s *Settings) error{
			"flag": func(s *Settings) error {
				return applyArgs(s, noEnvironment, dashes+o.Name+"="+value)
			},
			"variable": func(s *Settings) error {
				return applyArgs(s, func(name string) (string, bool) { return value, name == o.Env() })
			},
			"-o": func(s *Settings) error {
				return s.setMountOption(mountEntry{cmp.Or(o.MountName, underscores), value, true})
			},
			"key": func(s *Settings) error {
				f, err := readConfig(writeConfig(t, underscores+" = '"+value+"'\n"))
				if err != nil {
					return err
				}
				_, _, err = f.apply(s, f.common)
				return err
			},
		}
		if o.Name == "o" {
			delete(ways, "-o") // a list in a list
		}
		for way, set := range ways {
			got := Defaults()
			err := set(got)
			if err != nil || o.Value(got).String() != o.Value(want).String() || !got.Given[o.Name] {
				t.Errorf("%s as a %s: %v, given %v, error %v; want %v", o.Name, way, o.Value(got), got.Given, err, o.Value(want))
			}
		}
	}
}

func noEnvironment(string) (string, bool) { return "", false }

// applyArgs sets what the environment and options on the command line say.
func applyArgs(s *Settings, lookup func(string) (string, bool), args ...string) error {
	app := newApp(s, Invocation{Lookup: lookup})
	app.Action = func(*cli.Context) error { return nil }
	return app.Run(append([]string{"s3mount"}, args...))
}
