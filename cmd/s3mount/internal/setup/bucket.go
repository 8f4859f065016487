package setup

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/s3"
)

const (
	// CheckTimeout limits the request that checks the bucket. It is long enough for single
	// sign-on and a slow link, and short enough for a person who waits.
	CheckTimeout = 20 * time.Second
	// checkAttempts is the number of attempts. A lost packet or a server that restarts must
	// not fail a mount at boot, and a person waits for the answer.
	checkAttempts = 3
)

// CheckBucket requests one key under the prefix, and writes an object if there are options for
// objects. That needs the right endpoint, region, credentials and clock, and the permission to
// list. A mount that does not list requests an object that does not exist. CheckBucket uses its
// own client, because the client of the mount retries for longer.
func CheckBucket(ctx context.Context, o s3.Options, s *settings.Settings) error {
	o.MaxAttempts = min(o.MaxAttempts, checkAttempts)
	if o.Logger != nil {
		o.Logger = slog.New(withoutWarnings{o.Logger.Handler()})
	}
	client, err := s3.New(o)
	if err != nil {
		return exit.Errorf(exit.Usage, "%w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, CheckTimeout)
	defer cancel()
	if s.FS.NoList {
		err = getAbsent(ctx, client, s)
	} else {
		_, err = client.Ls(ctx, &s3.LsInput{Bucket: s.Source.Bucket, Prefix: s.Source.Prefix, MaxKeys: 1})
	}
	if err != nil {
		return explain(s, err)
	}
	return tryObject(ctx, client, o.Objects, s)
}

// getAbsent requests an object that does not exist. Without the permission to list, S3 answers
// AccessDenied and does not say whether there is one
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). A GET is used because the
// answer to a HEAD has no error code.
func getAbsent(ctx context.Context, client *s3.Client, s *settings.Settings) error {
	out, err := client.Get(ctx, &s3.GetInput{Bucket: s.Source.Bucket, Key: s.Source.Prefix + absentKey})
	if err == nil {
		return out.Body.Close()
	}
	var e *s3.Error
	denied := errors.As(err, &e) && e.Code == "AccessDenied"
	if denied || errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket) {
		return nil
	}
	return err
}

// absentKey is a reserved name that no mount uses.
const absentKey = ".s3mount/absent"

// withoutWarnings is a log without warnings. The client of the mount reports the features
// that the server lacks, and this client would report them a second time.
type withoutWarnings struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h withoutWarnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level != slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// EndpointName returns the name of the server for messages.
func EndpointName(s *settings.Settings) string {
	if s.S3.Endpoint != "" {
		return s.S3.Endpoint
	}
	return "AWS"
}

// explain explains an error of the first request in one line, with a remedy. A specific kind
// of error comes before the kinds that include it.
func explain(s *settings.Settings, err error) error {
	if err == nil {
		return nil
	}
	bucket, server := s.Source.Bucket, EndpointName(s)
	switch {
	case errors.Is(err, s3.ErrExpiredCredentials):
		return exit.Errorf(exit.Credentials, "the credentials have expired: renew them (aws sso login, or a new session token)")
	case errors.Is(err, s3.ErrClockSkew):
		return exit.Errorf(exit.Credentials, "the clock of this machine differs from the clock of %s: set it (timedatectl set-ntp true)", server)
	case errors.Is(err, s3.ErrNoCredentials):
		return ExplainNoCredentials(err)
	case isUnknownKey(err):
		return exit.Errorf(exit.Credentials, "%s does not know the access key: check AWS_ACCESS_KEY_ID, the profile and --endpoint", server)
	case errors.Is(err, s3.ErrNoSuchBucket):
		return exit.Errorf(exit.Bucket, "the bucket %q does not exist at %s: check its name, --endpoint and --profile", bucket, server)
	case errors.Is(err, s3.ErrRedirect):
		return explainRedirect(s, err)
	case errors.Is(err, s3.ErrForbidden):
		return explainForbidden(s, err)
	}
	var e *s3.Error
	if errors.As(err, &e) && e.Status != 0 {
		return explainAnswer(s, e)
	}
	if why := explainTLS(err); why != "" {
		return exit.Errorf(exit.Endpoint, "%s cannot be reached safely: %s", server, why)
	}
	if why := explainNetwork(err); why != "" {
		return exit.Errorf(exit.Endpoint, "%s cannot be reached: %s", server, why)
	}
	return exit.Errorf(exit.Endpoint, "check the bucket %q: %w", bucket, err)
}

func explainRedirect(s *settings.Settings, err error) error {
	var e *s3.Error
	if errors.As(err, &e) && e.Region != "" {
		return exit.Errorf(exit.Bucket, "the bucket %q is in the region %s: give --region %s", s.Source.Bucket, e.Region, e.Region)
	}
	if errors.As(err, &e) && e.Endpoint != "" {
		return exit.Errorf(exit.Bucket, "the bucket %q is served by %s: give that as --endpoint", s.Source.Bucket, e.Endpoint)
	}
	return exit.Errorf(exit.Bucket, "the bucket %q is in another region: give --region", s.Source.Bucket)
}

// ExplainNoCredentials explains that there are no credentials. It omits the error of the last
// place of the search, the role of an EC2 machine, because most machines are not on EC2. It
// keeps errors of single sign-on and of programs for credentials.
func ExplainNoCredentials(err error) error {
	why := ": " + cause(err)
	if strings.Contains(why, "IMDS") {
		why = ""
	}
	return exit.Errorf(exit.Credentials, "no credentials found%s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give --profile, or --no-sign-request for a public bucket", why)
}

// isUnknownKey reports whether an error has a code that AWS or versitygw use if the access key
// does not exist.
func isUnknownKey(err error) bool {
	var e *s3.Error
	return errors.As(err, &e) && (e.Code == "InvalidAccessKeyId" || e.Code == "XAdminUserNotFound")
}

// explainForbidden distinguishes between a key that the server refuses and a key without the
// permission.
func explainForbidden(s *settings.Settings, err error) error {
	var e *s3.Error
	code := ""
	if errors.As(err, &e) {
		code = e.Code
	}
	switch {
	case code == "SignatureDoesNotMatch":
		return exit.Errorf(exit.Credentials, "%s does not accept the secret key: check AWS_SECRET_ACCESS_KEY or the profile", EndpointName(s))
	case s.Anonymous:
		return exit.Errorf(exit.Bucket, "the bucket %q is not public: leave out --no-sign-request", s.Source.Bucket)
	case s.S3.ExpectedBucketOwner != "":
		return exit.Errorf(exit.Bucket, "access to the bucket %q is denied: it may belong to another account than --expected-bucket-owner %s, or these credentials need s3:ListBucket", s.Source.Bucket, s.S3.ExpectedBucketOwner)
	case s.Source.Prefix != "":
		return exit.Errorf(exit.Bucket, "access to %q below %q is denied: these credentials need s3:ListBucket for that prefix, or give --no-list", s.Source.Bucket, s.Source.Prefix)
	}
	return exit.Errorf(exit.Bucket, "access to the bucket %q is denied: these credentials need s3:ListBucket on it, or give --no-list", s.Source.Bucket)
}

// explainTLS describes the error of the server's certificate, or returns "".
func explainTLS(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	var alert *net.OpError
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by an unknown authority; install that authority's certificate or name its file in --ca-file"
	case errors.As(err, &host), errors.As(err, &invalid):
		return cause(err)
	case errors.As(err, &alert) && alert.Op == "remote error":
		return "it ends the TLS handshake with " + cause(err) + "; if it asks for a client certificate, give --cert-file and --key-file"
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS; give the endpoint with http://"
	}
	return ""
}

// explainNetwork describes why there is no connection, or returns "" if there is one.
func explainNetwork(err error) string {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return "the name " + dns.Name + " is not known (" + dns.Err + "); check --endpoint, --region and the network"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused; check the port in --endpoint and that the server runs"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, s3.ErrDeadline):
		return "no answer in time; check --endpoint and the network"
	case errors.As(err, &op):
		return cause(err) + "; check --endpoint and the network"
	}
	return ""
}

// explainAnswer describes an answer of an unknown kind, with a remedy.
func explainAnswer(s *settings.Settings, e *s3.Error) error {
	if e.Code == "" {
		return exit.Errorf(exit.Endpoint, "%s does not answer like S3 (status %d): check --endpoint", EndpointName(s), e.Status)
	}
	remedy := "check --endpoint and --region, and try --path-style or --virtual-host"
	if errors.Is(e, s3.ErrTransient) {
		remedy = "the server is overloaded or broken; try again later"
	}
	return exit.Errorf(exit.Endpoint, "%s could not list the bucket %q: it answers %d %s (%s); %s",
		EndpointName(s), s.Source.Bucket, e.Status, e.Code, e.Message, remedy)
}

// cause returns the text of the innermost error, which has the reason. The outer errors repeat
// the request.
func cause(err error) string {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			break
		}
		err = next
	}
	return strings.ReplaceAll(err.Error(), "\n", " ")
}
