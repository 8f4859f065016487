package setup

import (
	"context"
	"crypto/x509"
	"fmt"
	"log/slog"
	"strings"

	"github.com/aws/smithy-go/logging"

	"github.com/s3mount/s3mount/cmd/s3mount/internal/exit"
	"github.com/s3mount/s3mount/cmd/s3mount/internal/settings"
	"github.com/s3mount/s3mount/s3"
)

// endpointVariables are the environment variables that name the server for the AWS tools. The
// one for S3 has precedence. In the configuration files the key is endpoint_url.
// https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
func endpointVariables() []string {
	return []string{"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}
}

// probeDir is the reserved directory in which the client creates objects to find out which
// features the server has.
const probeDir = ".s3mount/"

// ClientOptions returns the options of the mount's client. The configuration of the
// AWS tools completes the settings: credentials, region, endpoint.
func ClientOptions(ctx context.Context, s *settings.Settings, lookup func(string) (string, bool), log *slog.Logger) (s3.Options, error) {
	o := s.S3
	o.Logger = log
	o.UserAgent = "s3mount"
	if err := fromAWS(ctx, s, &o, lookup, log); err != nil {
		return o, err
	}
	key, err := customerKey(s.CustomerKeyFile, lookup)
	if err != nil {
		return o, exit.Errorf(exit.Usage, "%w", err)
	}
	if key != nil {
		if isPlainHTTP(o.Endpoint) {
			return o, exit.Errorf(exit.Usage, "--sse-c-key-file: the key is not sent to %s without encryption: want an endpoint with https://", o.Endpoint)
		}
		o.Objects.SSE.Customer = key
	}
	s.S3.Endpoint, s.S3.Region = o.Endpoint, o.Region // for messages
	if !s.FS.ReadOnly {
		o.ProbePrefix = s.Source.Prefix + probeDir
	}
	if s.FS.StateDir != "" {
		o.FeatureStore = newServerFiles(s.FS.StateDir, o.Endpoint)
	}
	if s.CertFile != "" {
		o.ClientCertificate = s3.CertificateFiles(s.CertFile, s.KeyFile)
		if _, err := o.ClientCertificate(); err != nil {
			return o, exit.Errorf(exit.Usage, "--cert-file and --key-file: %w", err)
		}
	}
	o = o.Defaults()
	if err := o.Validate(); err != nil {
		return o, exit.Errorf(exit.Usage, "%w", err)
	}
	return o, nil
}

// isPlainHTTP reports whether an endpoint is spoken to without TLS.
func isPlainHTTP(endpoint string) bool {
	return strings.HasPrefix(strings.ToLower(endpoint), "http://")
}

// fromAWS completes the options from the AWS configuration.
func fromAWS(ctx context.Context, s *settings.Settings, o *s3.Options, lookup func(string) (string, bool), log *slog.Logger) error {
	roots, err := rootCAs(s)
	if err != nil {
		return err
	}
	from := s3.ConfigOptions{Profile: s.Profile, RootCAs: roots, Logger: sdkLogger{log}}
	cfg, err := s3.LoadConfig(ctx, from)
	if err != nil {
		return exit.Errorf(exit.Credentials, "read the AWS configuration: %w", err)
	}
	o.RootCAs = s3.ConfigRootCAs(cfg)
	if o.Region == "" {
		o.Region = cfg.Region
	}
	if o.Endpoint == "" && cfg.BaseEndpoint != nil {
		o.Endpoint = *cfg.BaseEndpoint
	}
	for _, name := range endpointVariables() {
		if url, ok := lookup(name); ok && url != "" && s.S3.Endpoint == "" {
			o.Endpoint = url
			break
		}
	}
	if s.Anonymous || cfg.Credentials == nil {
		return nil
	}
	// The provider of cfg would not notice changes of the files.
	if o.Credentials, err = s3.ConfigCredentials(ctx, from); err != nil {
		return exit.Errorf(exit.Credentials, "find credentials: %w", err)
	}
	return nil
}

// rootCAs returns the certificate authorities of the system and of --ca-file, or nil if it
// was not given.
func rootCAs(s *settings.Settings) (*x509.CertPool, error) {
	if s.CaFile == "" {
		return nil, nil
	}
	pool, err := s3.CertPool(s.CaFile)
	if err != nil {
		return nil, exit.Errorf(exit.Usage, "--ca-file: %w", err)
	}
	return pool, nil
}

// sdkLogger logs the messages that the SDK would print on stderr. The SDK also returns
// failures as errors.
type sdkLogger struct{ log *slog.Logger }

// Logf logs one message of the SDK.
func (l sdkLogger) Logf(_ logging.Classification, format string, args ...any) {
	l.log.Debug("AWS SDK", slog.String("message", fmt.Sprintf(format, args...)))
}
