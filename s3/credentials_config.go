package s3

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"os"
	"path/filepath"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/ec2rolecreds"
	"github.com/aws/aws-sdk-go-v2/credentials/endpointcreds"
	"github.com/aws/aws-sdk-go-v2/feature/ec2/imds"
	"github.com/aws/smithy-go/logging"
)

// ConfigOptions select what LoadConfig and ConfigCredentials read.
type ConfigOptions struct {
	// Profile is the name of a profile of the shared files. The profile of
	// AWS_PROFILE, or the default one, is used if it is "".
	Profile string
	// RootCAs are trusted in requests for credentials, such as those to STS,
	// besides the bundle of the configuration. The authorities of the system are
	// used if it is nil and the configuration has no bundle.
	RootCAs *x509.CertPool
	// Logger gets the messages of the SDK. They are discarded if it is nil.
	Logger logging.Logger
}

// LoadConfig reads the configuration of AWS's tools: environment and shared
// files. It differs from config.LoadDefaultConfig in two ways. The shared files
// are those of the present HOME, even if HOME changed since the process began.
// And the instance role is never asked for by IMDSv1, which anything on the
// network path of the instance can imitate.
func LoadConfig(ctx context.Context, o ConfigOptions) (aws.Config, error) {
	load := o.load()
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return cfg, err
	}
	// The clients of these two providers need a configuration themselves.
	role := imds.NewFromConfig(cfg, func(o *imds.Options) { o.EnableFallback = aws.FalseTernary })
	load = append(load, config.WithEC2RoleCredentialOptions(func(o *ec2rolecreds.Options) { o.Client = role }))
	if cfg.HTTPClient != nil {
		load = append(load, config.WithEndpointCredentialOptions(func(o *endpointcreds.Options) { o.HTTPClient = cfg.HTTPClient }))
	}
	return config.LoadDefaultConfig(ctx, load...)
}

// load returns the options for the SDK.
func (o ConfigOptions) load() []func(*config.LoadOptions) error {
	files := sharedFilePaths()
	if o.Logger == nil {
		o.Logger = logging.Nop{} // the SDK's own default is stderr
	}
	load := []func(*config.LoadOptions) error{
		config.WithSharedConfigProfile(o.Profile),
		config.WithSharedCredentialsFiles([]string{files[0]}),
		config.WithSharedConfigFiles([]string{files[1]}),
		config.WithLogger(o.Logger),
	}
	if o.RootCAs == nil {
		return load
	}
	pool := o.RootCAs.Clone() // the SDK adds the bundle of the configuration
	return append(load, config.WithHTTPClient(awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		if t.TLSClientConfig == nil {
			t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		}
		t.TLSClientConfig.RootCAs = pool
	})))
}

// ConfigRootCAs returns the certificate authorities that a configuration names, by
// AWS_CA_BUNDLE, by ca_bundle of the profile or by ConfigOptions.RootCAs. It
// returns nil if the configuration names none
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-gen-config.html).
func ConfigRootCAs(cfg aws.Config) *x509.CertPool {
	client, ok := cfg.HTTPClient.(*awshttp.BuildableClient)
	if !ok {
		return nil
	}
	if t := client.GetTransport().TLSClientConfig; t != nil {
		return t.RootCAs
	}
	return nil
}

// sharedFilePaths returns the paths of the credentials file and the config file.
// They are looked up each time because HOME changes when the process becomes
// another user.
func sharedFilePaths() (paths [2]string) {
	for i, f := range [...]struct{ env, name string }{
		{"AWS_SHARED_CREDENTIALS_FILE", "credentials"}, {"AWS_CONFIG_FILE", "config"}} {
		paths[i] = os.Getenv(f.env)
		if home, err := os.UserHomeDir(); paths[i] == "" && err == nil {
			paths[i] = filepath.Join(home, ".aws", f.name)
		}
	}
	return paths
}
