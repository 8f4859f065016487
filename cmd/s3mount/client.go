package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"

	"github.com/aws/smithy-go/logging"

	"github.com/s3mount/s3mount/s3"
)

// endpointVariables are the environment variables by which the AWS tools find
// another server; the one for S3 wins. The configuration files name one as
// endpoint_url.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func endpointVariables() []string {
	return []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}
}

// probeDir is the reserved directory below which the client makes objects of
// its own to find out what the server enforces.
const probeDir = ".s3mount/"

// clientOptions are the options of the mount's client. What the settings leave
// open comes from the configuration of the AWS tools: credentials, region,
// endpoint.
func clientOptions(ctx context.Context, s *settings, lookup func(string) (string, bool), log *slog.Logger) (s3.Options, error) {
	o := s.s3
	o.Logger = log
	o.UserAgent = "s3mount"
	if err := fromAWS(ctx, s, &o, lookup, log); err != nil {
		return o, err
	}
	s.s3.Endpoint, s.s3.Region = o.Endpoint, o.Region // for messages
	if !s.fs.ReadOnly {
		o.ProbePrefix = s.source.prefix + probeDir
	}
	if s.fs.StateDir != "" {
		o.FeatureStore = newServerFiles(s.fs.StateDir, o.Endpoint)
	}
	o = o.Defaults()
	if err := o.Validate(); err != nil {
		return o, fail(exitUsage, "%w", err)
	}
	return o, nil
}

// fromAWS fills in what the settings leave to the AWS configuration.
func fromAWS(ctx context.Context, s *settings, o *s3.Options, lookup func(string) (string, bool), log *slog.Logger) error {
	roots, err := rootCAs(s)
	if err != nil {
		return err
	}
	from := s3.ConfigOptions{Profile: s.profile, RootCAs: roots, Logger: sdkLogger{log}}
	cfg, err := s3.LoadConfig(ctx, from)
	if err != nil {
		return fail(exitCredentials, "read the AWS configuration: %w", err)
	}
	o.RootCAs = s3.ConfigRootCAs(cfg)
	if o.Region == "" {
		o.Region = cfg.Region
	}
	if o.Endpoint == "" && cfg.BaseEndpoint != nil {
		o.Endpoint = *cfg.BaseEndpoint
	}
	for _, name := range endpointVariables() {
		if url, ok := lookup(name); ok && url != "" && s.s3.Endpoint == "" {
			o.Endpoint = url
			break
		}
	}
	if s.anonymous || cfg.Credentials == nil {
		return nil
	}
	// The provider of cfg would not follow changes of the files.
	if o.Credentials, err = s3.ConfigCredentials(ctx, from); err != nil {
		return fail(exitCredentials, "find credentials: %w", err)
	}
	return nil
}

// rootCAs returns the authorities of the system and of --ca-file; nil without it.
func rootCAs(s *settings) (*x509.CertPool, error) {
	if s.caFile == "" {
		return nil, nil
	}
	pool, err := s3.CertPool(s.caFile)
	if err != nil {
		return nil, fail(exitUsage, "--ca-file: %w", err)
	}
	return pool, nil
}

// sdkLogger takes what the SDK would print on stderr. What matters of it comes
// back as an error, too.
type sdkLogger struct{ log *slog.Logger }

// Logf logs one message of the SDK.
func (l sdkLogger) Logf(_ logging.Classification, format string, args ...any) {
	l.log.Debug("AWS SDK", slog.String("message", fmt.Sprintf(format, args...)))
}
