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
	// renewBefore is how long before they expire credentials are fetched anew,
	// long enough for a provider that is down to come back; those that live
	// shorter are at half their time.
	renewBefore = 5 * time.Minute
	// renewAgain is how long after a failure it is tried again.
	renewAgain = 5 * time.Second
	// recheckFiles is how often the shared files are looked at.
	recheckFiles = time.Second
)

// StaticCredentials signs with fixed keys; token is "" for long-term ones
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html).
func StaticCredentials(id, secret, token string) aws.CredentialsProvider {
	return credentials.NewStaticCredentialsProvider(id, secret, token)
}

// DefaultCredentials finds credentials as AWS's tools do: environment, shared
// config and credentials files (profile, "" for the default one), web
// identity, SSO, process, ECS or EKS container, IMDSv2
// (https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html).
//
// They are kept, fetched anew some minutes before they expire, and read anew
// when one of the shared files changes. While fetching fails, those before are
// used until they expire.
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

// DefaultRegion is the region that the environment or the shared config of
// profile chooses, "" if none
// (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html).
func DefaultRegion(ctx context.Context, profile string) (string, error) {
	cfg, err := LoadConfig(ctx, ConfigOptions{Profile: profile})
	if err != nil {
		return "", &Error{Op: "DefaultRegion", Err: err, kind: ErrInvalidInput}
	}
	return cfg.Region, nil
}

// defaultProvider provides the credentials of the default chain, and follows the
// shared files when they change.
type defaultProvider struct {
	options ConfigOptions

	mu      sync.Mutex
	chain   aws.CredentialsProvider // caches
	stamp   [2]fileStamp
	checked time.Time
	last    aws.Credentials // that were good
	renew   time.Time       // when to fetch last anew, if it expires
	doubted time.Time       // when recheck last set renew
}

// fileStamp tells whether a file is still the same.
type fileStamp struct {
	modified time.Time
	size     int64
}

// loadChain returns the provider that the configuration names.
func loadChain(ctx context.Context, o ConfigOptions) (aws.CredentialsProvider, error) {
	o.Logger = nil // its errors are returned by Retrieve
	cfg, err := LoadConfig(ctx, o)
	if err != nil {
		return nil, err
	}
	if cfg.Credentials == nil {
		return nil, errors.New("no provider")
	}
	return cfg.Credentials, nil
}

// Retrieve implements aws.CredentialsProvider. While one caller fetches
// credentials before their time, others go on with those that are there.
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

// renewal is when credentials that have just come are to be fetched anew: at
// another time by each of many mounts that have the same ones.
func renewal(now time.Time, cr aws.Credentials) time.Time {
	early := min(renewBefore, cr.Expires.Sub(now)/2)
	if early <= 0 {
		return cr.Expires
	}
	return cr.Expires.Add(-early/2 - rand.N(early/2+1))
}

// forget makes a provider that caches fetch anew.
func forget(p aws.CredentialsProvider) {
	if c, ok := p.(interface{ Invalidate() }); ok {
		c.Invalidate()
	}
}

// current returns the chain, made anew if a file has changed. A file that
// gives no credentials just now, as when it is being written, leaves the old
// one until the next look.
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

// Invalidate drops what is kept: a server has refused it.
func (p *defaultProvider) Invalidate() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked, p.stamp, p.last = time.Time{}, [2]fileStamp{}, aws.Credentials{}
	forget(p.chain)
}

// recheck makes the next Retrieve look for other credentials: a server has
// refused something, maybe these. Looking at files is cheap; others are asked
// for no more often than after a failure.
func (p *defaultProvider) recheck() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.checked = time.Time{}
	if now := time.Now(); now.Sub(p.doubted) >= renewAgain {
		p.doubted, p.renew = now, time.Time{}
	}
}

// fileStamps looks at the two shared files.
func fileStamps() (stamps [2]fileStamp) {
	for i, path := range sharedFilePaths() {
		if st, err := os.Stat(path); err == nil {
			stamps[i] = fileStamp{st.ModTime(), st.Size()}
		}
	}
	return stamps
}
