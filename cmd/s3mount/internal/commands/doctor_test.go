package commands

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/s3"
	"github.com/s3mount/s3mount/s3/s3test"
)

// The account of the server.
const (
	testKey    = "doctorskey"
	testSecret = "doctorssecret"
)

// examine runs the doctor against a server and gives what it printed. The
// machine is one where everything is in order.
func examine(t *testing.T, srv *s3test.Server, change func(e *examination)) (string, error) {
	t.Helper()
	for name, value := range map[string]string{"AWS_ACCESS_KEY_ID": testKey, "AWS_SECRET_ACCESS_KEY": testSecret,
		"AWS_CONFIG_FILE": os.DevNull, "AWS_SHARED_CREDENTIALS_FILE": os.DevNull, "AWS_EC2_METADATA_DISABLED": "true"} {
		t.Setenv(name, value)
	}
	var out bytes.Buffer
	s := settings.Defaults()
	s.S3.Endpoint, s.Source = srv.URL(), settings.Source{Bucket: "bucket", Prefix: "p/", Spec: "bucket:p"}
	s.Mountpoint, s.FS.StateDir = t.TempDir(), filepath.Join(t.TempDir(), "state")
	e := &examination{in: settings.Invocation{Stdout: &out, Lookup: os.LookupEnv}, machine: fakeMachine(t), s: s}
	if change != nil {
		change(e)
	}
	err := e.run(t.Context())
	if err != nil && !errors.Is(err, exit.ErrReported) {
		t.Errorf("the error %v was not printed", err)
	}
	if strings.Contains(out.String(), testSecret) {
		t.Errorf("the secret key is shown:\n%s", &out)
	}
	return out.String(), err
}

func TestDoctor(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(e *examination)
		code   int
		says   []string
	}{
		{"well", nil, exit.OK, []string{"ok    FUSE", "ok    mountpoint", "ok    directories", "ok    credentials  found by EnvConfigCredentials",
			"ok    endpoint     http://127.0.0.1:", "which is 127.0.0.1", "ok    bucket", "ok    clock        equal to the clock of the server", "ok    writes       the server enforces", "a mount should work"}},
		{"nowhere", func(e *examination) { e.nowhere = true }, exit.OK, []string{"a mount should work"}},
		{"read-only", func(e *examination) { e.s.FS.ReadOnly = true }, exit.OK, []string{"ok    writes       not tried"}},
		{"no device", func(e *examination) { e.machine.FuseDev += "x" }, exit.FUSE, []string{"BAD   FUSE", "modprobe fuse", "ok    bucket"}},
		{"no mountpoint", func(e *examination) { e.s.Mountpoint += "/x" }, exit.Mountpoint, []string{"BAD   mountpoint", "mkdir -p"}},
		{"state directory", func(e *examination) { e.s.FS.StateDir = e.machine.FuseDev }, exit.Usage, []string{"BAD   directories  --state-dir: ", "is not a directory"}},
		{"no bucket", func(e *examination) { e.s.Source.Bucket = "other" }, exit.Bucket, []string{`BAD   bucket       the bucket "other" does not exist`}},
		{"no server", func(e *examination) { e.s.S3.Endpoint = "http://127.0.0.1:1" }, exit.Endpoint, []string{"BAD   bucket", "connection refused"}},
		{"no IPv6 address", func(e *examination) { e.s.S3.IPFamily = s3.IPv6Only }, exit.Endpoint, []string{"BAD   endpoint", "--ip-version 6", "BAD   bucket"}},
		{"profile", func(e *examination) { e.s.Profile = "nobody" }, exit.Credentials, []string{"BAD   credentials", "nobody"}},
		{"anonymous", func(e *examination) { e.s.Anonymous = true }, exit.Bucket, []string{"ok    credentials  none are used", "BAD   bucket"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv := s3test.NewServer(t, s3test.Options{AccessKey: testKey, SecretKey: testSecret})
			srv.CreateBucket("bucket")
			text, err := examine(t, srv, tc.change)
			if exit.Code(err) != tc.code {
				t.Errorf("exit code %d, want %d", exit.Code(err), tc.code)
			}
			for _, want := range tc.says {
				if !strings.Contains(text, want) {
					t.Errorf("it does not say %q", want)
				}
			}
			if t.Failed() {
				t.Log("\n" + text)
			}
		})
	}
}

func TestDoctorHelp(t *testing.T) {
	text, err := runArgs(t, "doctor", "--help")
	if err != nil || !strings.Contains(text, "Usage: s3mount doctor") {
		t.Errorf("%q, %v", text, err)
	}
	_, err = runArgs(t, "doctor")
	exittest.Want(t, err, exit.Usage, "name a bucket")
}

func TestDoctorReportsMissingFeatures(t *testing.T) {
	srv := s3test.NewServer(t, s3test.Options{AccessKey: testKey, SecretKey: testSecret,
		Support: map[s3.Feature]s3.Support{s3.FeatureDeleteIfMatch: s3.SupportIgnored, s3.FeatureQuotedETag: s3.SupportRefused}})
	srv.CreateBucket("bucket")
	text, err := examine(t, srv, nil)
	if err != nil {
		t.Error(err)
	}
	for _, want := range []string{"note  writes       this server", "ignores If-Match of DeleteObject; s3mount therefore compares", "quoted ETags in If-Match; s3mount therefore sends ETags without quotes", "a mount should work"} {
		if !strings.Contains(text, want) {
			t.Errorf("it does not say %q:\n%s", want, text)
		}
	}
}

func TestServerClock(t *testing.T) {
	for ahead, want := range map[time.Duration]string{0: "equal to the clock of the server", time.Hour: "1h0m0s ahead of the server: set its clock", -20 * time.Second: "20s behind the clock of the server"} {
		var c serverClock
		if _, ok := c.skew(); ok {
			t.Error("the clock is known before an answer")
		}
		transport := c.watch(roundTripper(func(*http.Request) (*http.Response, error) {
			return &http.Response{Header: http.Header{"Date": {time.Now().Add(-ahead).UTC().Format(http.TimeFormat)}}}, nil
		}))
		if _, err := transport.RoundTrip(nil); err != nil {
			t.Fatal(err)
		}
		skew, ok := c.skew()
		if !ok || (skew-ahead).Abs() > 10*time.Second {
			t.Errorf("the skew is %v, %v; want %v", skew, ok, ahead)
		}
		if f := judgeSkew(ahead); !strings.Contains(f.text, want) || f.doubt != (ahead.Abs() > badSkew) {
			t.Errorf("%v: %+v, want %q", ahead, f, want)
		}
	}
}
