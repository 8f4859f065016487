package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/s3mount/s3mount/s3"
)

const (
	// checkTimeout bounds the request that checks the bucket: long enough for
	// single sign-on and a slow link, short enough for somebody who waits.
	checkTimeout = 20 * time.Second
	// checkAttempts: one lost packet or one restarting server is no reason to
	// fail a mount at boot, but an answer is worth more than patience.
	checkAttempts = 3
)

// checkBucket asks the bucket for one key under the prefix. That needs the
// right endpoint, region, credentials and clock, and the permission without
// which nothing works. It has a client of its own because that of the mount
// is as patient as files need it.
func checkBucket(ctx context.Context, o s3.Options, s *settings) error {
	o.MaxAttempts = min(o.MaxAttempts, checkAttempts)
	client, err := s3.New(o)
	if err != nil {
		return fail(exitUsage, "%w", err)
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	_, err = client.Ls(ctx, &s3.LsInput{Bucket: s.source.bucket, Prefix: s.source.prefix, MaxKeys: 1})
	return explain(s, err)
}

// endpointName is what messages call the server.
func endpointName(s *settings) string {
	if s.s3.Endpoint != "" {
		return s.s3.Endpoint
	}
	return "AWS"
}

// explain says in one line what an error of the first request means and what
// helps. The table is ordered: a kind comes before those that contain it.
func explain(s *settings, err error) error {
	if err == nil {
		return nil
	}
	bucket, server := s.source.bucket, endpointName(s)
	switch {
	case errors.Is(err, s3.ErrExpiredCredentials):
		return fail(exitCredentials, "the credentials have expired: renew them (aws sso login, or a new session token)")
	case errors.Is(err, s3.ErrClockSkew):
		return fail(exitCredentials, "the clock of this machine differs from that of %s: set it (timedatectl set-ntp true)", server)
	case errors.Is(err, s3.ErrNoCredentials):
		return explainNoCredentials(err)
	case isUnknownKey(err):
		return fail(exitCredentials, "%s does not know the access key: check AWS_ACCESS_KEY_ID, the profile and --endpoint", server)
	case errors.Is(err, s3.ErrNoSuchBucket):
		return fail(exitBucket, "the bucket %q does not exist at %s: check its name, --endpoint and --profile", bucket, server)
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
		return fail(exitEndpoint, "%s cannot be reached safely: %s", server, why)
	}
	if why := explainNetwork(err); why != "" {
		return fail(exitEndpoint, "%s cannot be reached: %s", server, why)
	}
	return fail(exitEndpoint, "check the bucket %q: %w", bucket, err)
}

func explainRedirect(s *settings, err error) error {
	var e *s3.Error
	if errors.As(err, &e) && e.Region != "" {
		return fail(exitBucket, "the bucket %q is in the region %s: give --region %s", s.source.bucket, e.Region, e.Region)
	}
	if errors.As(err, &e) && e.Endpoint != "" {
		return fail(exitBucket, "the bucket %q is served by %s: give that as --endpoint", s.source.bucket, e.Endpoint)
	}
	return fail(exitBucket, "the bucket %q is in another region: give --region", s.source.bucket)
}

// explainNoCredentials leaves out what the last place of the search said, as
// most machines are none of EC2. What single sign-on or a program for
// credentials says stays.
func explainNoCredentials(err error) error {
	why := ": " + cause(err)
	if strings.Contains(why, "IMDS") {
		why = ""
	}
	return fail(exitCredentials, "no credentials found%s; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, give --profile, or --no-sign-request for a public bucket", why)
}

// isUnknownKey tells the codes by which AWS and versitygw say that nobody has
// the access key.
func isUnknownKey(err error) bool {
	var e *s3.Error
	return errors.As(err, &e) && (e.Code == "InvalidAccessKeyId" || e.Code == "XAdminUserNotFound")
}

// explainForbidden tells a key that is not accepted from one that may not.
func explainForbidden(s *settings, err error) error {
	var e *s3.Error
	code := ""
	if errors.As(err, &e) {
		code = e.Code
	}
	switch {
	case code == "SignatureDoesNotMatch":
		return fail(exitCredentials, "%s does not accept the secret key: check AWS_SECRET_ACCESS_KEY or the profile", endpointName(s))
	case s.anonymous:
		return fail(exitBucket, "the bucket %q is not public: leave out --no-sign-request", s.source.bucket)
	case s.source.prefix != "":
		return fail(exitBucket, "access to %q below %q is denied: these credentials need s3:ListBucket for that prefix", s.source.bucket, s.source.prefix)
	}
	return fail(exitBucket, "access to the bucket %q is denied: these credentials need s3:ListBucket on it", s.source.bucket)
}

// explainTLS says what is wrong with the server's certificate, or nothing.
func explainTLS(err error) string {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch {
	case errors.As(err, &unknown):
		return "its certificate is signed by an unknown authority; install that authority's certificate or name its file in --ca-file"
	case errors.As(err, &host), errors.As(err, &invalid):
		return cause(err)
	case errors.As(err, &record), errors.Is(err, http.ErrSchemeMismatch):
		return "it does not speak TLS; give the endpoint with http://"
	}
	return ""
}

// explainNetwork says why no connection came about, or nothing if one did.
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

// explainAnswer deals with answers that are no success and no known kind.
func explainAnswer(s *settings, e *s3.Error) error {
	if e.Code == "" {
		return fail(exitEndpoint, "%s does not answer as S3 does (status %d): check --endpoint", endpointName(s), e.Status)
	}
	return fail(exitEndpoint, "%s could not list the bucket %q: %w", endpointName(s), s.source.bucket, e)
}

// cause is the text of the innermost error, where the reason stands; the
// layers above repeat the request.
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
