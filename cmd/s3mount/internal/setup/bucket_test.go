package setup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit/exittest"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/text"
	"github.com/s3mount/s3mount/s3"
)

// check runs CheckBucket against a server, with a key that is good for nothing.
func check(t *testing.T, s *settings.Settings, server string) error {
	t.Helper()
	s.S3.Endpoint = server
	o := s.S3
	o.MaxAttempts = 1 // the tests are about the last answer
	if !s.Anonymous {
		o.Credentials = s3.StaticCredentials("AKIDTEST", "secret", "")
	}
	return CheckBucket(t.Context(), o.Defaults(), s)
}

// bucketSettings returns the settings of a mount of bucket:prefix.
func bucketSettings(t *testing.T, spec string) *settings.Settings {
	t.Helper()
	s := settings.Defaults()
	if err := s.SetArguments([]string{spec, "/mnt"}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestCheckBucket(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		q := r.URL.Query()
		if r.Method != http.MethodGet || r.URL.Path != "/bucket" && r.URL.Path != "/bucket/" || q.Get("list-type") != "2" || q.Get("max-keys") != "1" || q.Get("prefix") != "p/" {
			t.Errorf("request %s %s", r.Method, r.URL)
		}
		fmt.Fprint(w, `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>bucket</Name><KeyCount>0</KeyCount><MaxKeys>1</MaxKeys><IsTruncated>false</IsTruncated></ListBucketResult>`)
	}))
	defer server.Close()
	if err := check(t, bucketSettings(t, "bucket:p"), server.URL); err != nil {
		t.Error(err)
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}
}

func TestCheckBucketExplainsAnswers(t *testing.T) {
	for _, tc := range []struct {
		status     int
		code, more string // more: elements beside the code
		anonymous  bool
		says       string
		exit       int
	}{
		{404, "NoSuchBucket", "", false, `the bucket "bucket" does not exist`, exit.Bucket},
		{403, "AccessDenied", "", false, "s3:ListBucket", exit.Bucket},
		{403, "AccessDenied", "", true, "leave out --no-sign-request", exit.Bucket},
		{403, "InvalidAccessKeyId", "", false, "does not know the access key", exit.Credentials},
		{404, "XAdminUserNotFound", "", false, "does not know the access key", exit.Credentials},
		{403, "SignatureDoesNotMatch", "", false, "does not accept the secret key", exit.Credentials},
		{400, "ExpiredToken", "", false, "have expired", exit.Credentials},
		{403, "RequestTimeTooSkewed", "", false, "clock", exit.Credentials},
		{301, "PermanentRedirect", "<Endpoint>bucket.other.example</Endpoint>", false, "bucket.other.example", exit.Bucket},
		{503, "SlowDown", "", false, "could not list", exit.Endpoint},
		{500, "InternalError", "", false, "could not list", exit.Endpoint},
		{400, "InvalidRequest", "", false, "could not list", exit.Endpoint},
	} {
		t.Run(tc.code, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/xml")
				w.WriteHeader(tc.status)
				fmt.Fprintf(w, "<?xml version=\"1.0\"?>\n<Error><Code>%s</Code><Message>what it says</Message>%s</Error>", tc.code, tc.more)
			}))
			defer server.Close()
			s := bucketSettings(t, "bucket")
			s.Anonymous = tc.anonymous
			exittest.Want(t, check(t, s, server.URL), tc.exit, tc.says)
		})
	}
}

// TestCheckBucketFollowsRegion checks that the client signs again for the region that AWS names
// in its refusal.
func TestCheckBucketFollowsRegion(t *testing.T) {
	for _, knows := range []string{"eu-central-1", "eu-west-1"} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.Header.Get("Authorization"), "/eu-central-1/s3/") {
				fmt.Fprint(w, `<ListBucketResult><Name>bucket</Name></ListBucketResult>`)
				return
			}
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region is wrong</Message><Region>%s</Region></Error>`, knows)
		}))
		says := ""
		if knows != "eu-central-1" {
			says = "region eu-west-1"
		}
		exittest.Want(t, check(t, bucketSettings(t, "bucket"), server.URL), exit.Bucket, says)
		server.Close()
	}
}

func TestCheckBucketExplainsStrangers(t *testing.T) {
	page := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "<html>\nnot here</html>", http.StatusNotFound)
	})
	plain, secure := httptest.NewServer(page), httptest.NewUnstartedServer(page)
	defer plain.Close()
	secure.Config.ErrorLog = log.New(io.Discard, "", 0) // it complains about the handshake
	secure.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
	secure.StartTLS()
	defer secure.Close()

	exittest.Want(t, check(t, bucketSettings(t, "bucket"), plain.URL), exit.Endpoint, "does not answer like S3 (status 404)")
	exittest.Want(t, check(t, bucketSettings(t, "bucket"), secure.URL), exit.Endpoint, "unknown authority")
	exittest.Want(t, check(t, bucketSettings(t, "bucket"), strings.Replace(plain.URL, "http:", "https:", 1)), exit.Endpoint, "http://")
}

func TestCheckBucketExplainsNetwork(t *testing.T) {
	// Nobody listens on the port of tcpmux; one that was free a moment ago may be taken.
	exittest.Want(t, check(t, bucketSettings(t, "bucket"), "http://127.0.0.1:1"), exit.Endpoint, "connection refused")
}

func TestExplain(t *testing.T) {
	for _, tc := range []struct {
		err  error
		says string
		exit int
	}{
		{&net.DNSError{Name: "s3.nowhere.example", Err: "no such host"}, "s3.nowhere.example", exit.Endpoint},
		{fmt.Errorf("list: %w", context.DeadlineExceeded), "no answer in time", exit.Endpoint},
		{&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("network is unreachable")}, "network is unreachable", exit.Endpoint},
		{fmt.Errorf("list: %w", s3.ErrNoCredentials), "AWS_ACCESS_KEY_ID", exit.Credentials},
		{fmt.Errorf("list: %w", s3.ErrRedirect), "give --region", exit.Bucket},
		{errors.New("something else"), "something else", exit.Endpoint},
	} {
		exittest.Want(t, explain(bucketSettings(t, "bucket"), tc.err), tc.exit, tc.says)
	}
}

// TestNoCredentials checks that the error names a remedy and omits the details of the search.
func TestNoCredentials(t *testing.T) {
	none := t.TempDir() + "/none"
	for name, value := range map[string]string{
		"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": none, "AWS_SHARED_CREDENTIALS_FILE": none,
		"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "", "AWS_PROFILE": "", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "",
		"AWS_CONTAINER_CREDENTIALS_FULL_URI": "", "AWS_WEB_IDENTITY_TOKEN_FILE": "",
	} {
		t.Setenv(name, value)
	}
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a request was sent without credentials: %s", r.URL)
	}))
	defer server.Close()
	s := bucketSettings(t, "bucket")
	s.S3.Endpoint = server.URL
	o, err := ClientOptions(t.Context(), s, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	exittest.Want(t, CheckBucket(t.Context(), o, s), exit.Credentials, "AWS_ACCESS_KEY_ID")
	if took := time.Since(start); took > CheckTimeout/2 {
		t.Errorf("it took %v to find out", took)
	}
}

func TestClientFromAWS(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config"), []byte("[default]\nregion = eu-north-1\n[profile minio]\nregion = local\nendpoint_url = http://127.0.0.1:9000\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "credentials"), []byte("[default]\naws_access_key_id = A\naws_secret_access_key = B\n[minio]\naws_access_key_id = C\naws_secret_access_key = D\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("AWS_CONFIG_FILE", dir+"/config")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", dir+"/credentials")
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL"} {
		t.Setenv(name, "")
	}
	for _, tc := range []struct {
		name                      string
		change                    func(*settings.Settings)
		env                       map[string]string
		region, endpoint, keyWant string
	}{
		{"default", func(*settings.Settings) {}, nil, "eu-north-1", "", "A"},
		{"profile", func(s *settings.Settings) { s.Profile = "minio" }, nil, "local", "http://127.0.0.1:9000", "C"},
		{"options", func(s *settings.Settings) { s.Profile, s.S3.Region, s.S3.Endpoint = "minio", "here", "http://there" }, nil, "here", "http://there", "C"},
		{"variable", func(*settings.Settings) {}, map[string]string{"AWS_ENDPOINT_URL_S3": "http://s3"}, "eu-north-1", "http://s3", "A"},
		{"option and variable", func(s *settings.Settings) { s.S3.Endpoint = "http://there" }, map[string]string{"AWS_ENDPOINT_URL_S3": "http://s3"}, "eu-north-1", "http://there", "A"},
		{"anonymous", func(s *settings.Settings) { s.Anonymous = true }, nil, "eu-north-1", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := bucketSettings(t, "bucket")
			tc.change(s)
			o := s.S3
			lookup := func(name string) (string, bool) { v, ok := tc.env[name]; return v, ok }
			if err := fromAWS(t.Context(), s, &o, lookup, slog.New(slog.DiscardHandler)); err != nil {
				t.Fatal(err)
			}
			if o.Region != tc.region || o.Endpoint != tc.endpoint {
				t.Errorf("region %q, endpoint %q", o.Region, o.Endpoint)
			}
			if key := accessKey(t, o.Credentials); key != tc.keyWant {
				t.Errorf("access key %q, want %q", key, tc.keyWant)
			}
		})
	}
	s := bucketSettings(t, "bucket")
	s.Profile = "absent"
	o := s.S3
	exittest.Want(t, fromAWS(t.Context(), s, &o, func(string) (string, bool) { return "", false }, slog.New(slog.DiscardHandler)), exit.Credentials, "absent")
}

func accessKey(t *testing.T, p aws.CredentialsProvider) string {
	t.Helper()
	if p == nil {
		return ""
	}
	got, err := p.Retrieve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return got.AccessKeyID
}

func TestWarnings(t *testing.T) {
	for _, tc := range []struct {
		endpoint  string
		anonymous bool
		want      int
	}{
		{"", false, 0},
		{"https://minio.example", false, 0},
		{"http://minio.example", false, 1},
		{"http://minio.example", true, 0},
		{"http://localhost:9000", false, 0},
		{"http://127.0.0.1:9000", false, 0},
		{"http://[::1]:9000", false, 0},
		{"http://10.0.0.1", false, 1},
	} {
		s := settings.Defaults()
		s.S3.Endpoint, s.Anonymous = tc.endpoint, tc.anonymous
		if _, err := url.Parse(tc.endpoint); err != nil {
			t.Fatal(err)
		}
		if got := Warnings(s); len(got) != tc.want {
			t.Errorf("%q: %q", tc.endpoint, got)
		}
	}
}

// TestHostileMessage checks that the message of a server is printed as one line
// that a terminal does not obey.
func TestHostileMessage(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, "<Error><Code>Odd</Code><Message>x\u009b2J\ns3mount: forged &#x85;</Message></Error>")
	}))
	t.Cleanup(srv.Close)
	s := settings.Defaults()
	s.Source.Bucket = "b"
	err := CheckBucket(t.Context(), s3.Options{Endpoint: srv.URL, Credentials: s3.StaticCredentials("id", "secret", "")}.Defaults(), s)
	if err == nil || !strings.Contains(err.Error(), "forged") {
		t.Fatalf("error %v", err)
	}
	line := text.OneLine(err.Error())
	if strings.ContainsFunc(line, unicode.IsControl) {
		t.Errorf("a terminal would obey %q", line)
	}
}
