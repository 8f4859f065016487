package s3

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

const (
	// renewBefore is how long before their expiry credentials are renewed. It leaves
	// time for a failing provider to recover. Credentials with a shorter life are
	// renewed at half of it.
	renewBefore = 5 * time.Minute
	// renewAgain is the time between a failed renewal and the next attempt.
	renewAgain = 5 * time.Second
	// recheckFiles is the shortest interval between two checks of the shared files.
	recheckFiles = time.Second
)

// StaticCredentials returns a provider of fixed keys. token is empty for long-term keys
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
func StaticCredentials(id, secret, token string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, secret, token)
}

// DefaultCredentials finds credentials in the order of AWS's tools: environment, shared
// config and credentials files, web identity, SSO, process, ECS or EKS container,
// IMDSv2
// (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html). An
// empty profile selects the default profile.
//
// The provider caches credentials, renews them some minutes before they expire, and
// reads them again when a shared file changes. If a renewal fails, it returns the
// previous credentials until they expire.
func DefaultCredentials(ctx context.Context, profile string) (aws.CredentialsProvider, error) {
	return ConfigCredentials(ctx, ConfigOptions{Profile: profile})
}

// ConfigCredentials is DefaultCredentials with options.
func ConfigCredentials(ctx context.Context, o ConfigOptions) (aws.CredentialsProvider, error) {
	stamp := fileStamps()
	chain, err := loadChain(ctx, o)
	if err != nil {
		return nil, &Error{Op: "DefaultCredentials", Err: err, kind: ErrNoCredentials}
	}
	return &defaultProvider{options: o, chain: chain, stamp: stamp}, nil
}

// DefaultRegion returns the region of the environment or of the profile in the shared
// config. It returns "" if neither sets one
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html).
func DefaultRegion(ctx context.Context, profile string) (string, error) {
	cfg, err := LoadConfig(ctx, ConfigOptions{Profile: profile})
	if err != nil {
		return "", &Error{Op: "DefaultRegion", Err: err, kind: ErrInvalidInput}
	}
	return cfg.Region, nil
}

// defaultProvider provides the credentials of the default chain and follows changes of
// the shared files.
type defaultProvider struct {
	options ConfigOptions

	mu      sync.Mutex
	chain   aws.CredentialsProvider // has a cache
	stamp   [2]fileStamp
	checked time.Time
	last    aws.Credentials // the last valid credentials
	renew   time.Time       // when to renew last, if it expires
	doubted time.Time       // when recheck last reset renew
}

// fileStamp identifies the content of a file by its time and size.
type fileStamp struct {
	modified time.Time
	size     int64
}

// loadChain returns the provider that the configuration names.
func loadChain(ctx context.Context, o ConfigOptions) (aws.CredentialsProvider, error) {
	o.Logger = nil // Retrieve returns the errors that the SDK would log
	cfg, err := LoadConfig(ctx, o)
	if err != nil {
		return nil, err
	}
	if cfg.Credentials == nil {
		return nil, errors.New("no provider")
	}
	return cfg.Credentials, nil
}

// Retrieve implements aws.CredentialsProvider. While one caller renews credentials that
// are still valid, other callers get the valid ones.
func (p *defaultProvider) Retrieve(ctx context.Context) (aws.Credentials, error) {
	chain := p.current(ctx)
	p.mu.Lock()
	now := time.Now()
	if last := p.last; last.HasKeys() && !last.Expired() {
		if !last.CanExpire || now.Before(p.renew) {
			p.mu.Unlock()
			return last, nil
		}
		p.renew = now.Add(renewAgain)
		forget(chain)
	}
	p.mu.Unlock()
	cr, err := chain.Retrieve(ctx)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil {
		p.last, p.renew = cr, renewal(time.Now(), cr)
		return cr, nil
	}
	if p.last.HasKeys() && !p.last.Expired() {
		return p.last, nil
	}
	return cr, err
}

// renewal returns when to renew credentials that were just fetched. The time is random,
// so that many mounts with the same credentials do not renew them at once.
func renewal(now time.Time, cr aws.Credentials) time.Time {
	early := min(renewBefore, cr.Expires.Sub(now)/2)
	if early <= 0 {
		return cr.Expires
	}
	return cr.Expires.Add(-early/2 - rand.N(early/2+1))
}

// forget drops the cache of a provider that has one.
func forget(p aws.CredentialsProvider) {
	if c, ok := p.(interface{ Invalidate() }); ok {
		c.Invalidate()
	}
}

// current returns the chain, and loads it again if a file has changed. If the changed
// files give no credentials, for example while one is being written, current returns
// the old chain and tries again after recheckFiles.
func (p *defaultProvider) current(ctx context.Context) aws.CredentialsProvider {
	p.mu.Lock()
	chain, stamp := p.chain, p.stamp
	due := time.Since(p.checked) >= recheckFiles
	if due {
		p.checked = time.Now()
	}
	p.mu.Unlock()
	if !due {
		return chain
	}
	now := fileStamps()
	if now == stamp {
		return chain
	}
	fresh, err := loadChain(ctx, p.options)
	if err == nil {
		_, err = fresh.Retrieve(ctx)
	}
	if err != nil {
		return chain
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.chain, p.stamp, p.last = fresh, now, aws.Credentials{}
	return fresh
}

// Invalidate drops the cached credentials, because a server has refused them.
func (p *defaultProvider) Invalidate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked, p.stamp, p.last = time.Time{}, [2]fileStamp{}, aws.Credentials{}
	forget(p.chain)
}

// recheck makes the next Retrieve look for other credentials, because a server refused
// a request, possibly due to these. It checks the files at once, but renews the
// credentials at most every renewAgain.
func (p *defaultProvider) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked = time.Time{}
	if now := time.Now(); now.Sub(p.doubted) >= renewAgain {
		p.doubted, p.renew = now, time.Time{}
	}
}

// fileStamps returns the stamps of the two shared files. The stamp of a missing file is
// zero.
func fileStamps() (stamps [2]fileStamp) {
	for i, path := range sharedFilePaths() {
		if st, err := os.Stat(path); err == nil {
			stamps[i] = fileStamp{st.ModTime(), st.Size()}
		}
	}
	return stamps
}
