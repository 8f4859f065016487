package s3

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// sharedFiles points the default chain at files of the test's own.
func sharedFiles(t *testing.T) (credentials string) {
	t.Helper()
	dir := t.TempDir()
	for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION",
		"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	credentials = filepath.Join(dir, "credentials")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", credentials)
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(dir, "config"))
	return credentials
}

func writeKeys(t *testing.T, file, id string) {
	t.Helper()
	noError(t, os.WriteFile(file, []byte("[default]\naws_access_key_id = "+id+"\naws_secret_access_key = s\naws_session_token = tok\n"+
		"[other]\naws_access_key_id = OTHER\naws_secret_access_key = s\nregion = eu-west-1\n"), 0o600))
}

func TestDefaultCredentials(t *testing.T) {
	file := sharedFiles(t)
	writeKeys(t, file, "AKID1")
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	cr, err := p.Retrieve(t.Context())
	noError(t, err)
	if cr.AccessKeyID != "AKID1" || cr.SessionToken != "tok" {
		t.Errorf("got %s", cr.AccessKeyID)
	}
	other, err := DefaultCredentials(t.Context(), "other")
	noError(t, err)
	if cr, err := other.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "OTHER" {
		t.Errorf("profile: %s, %v", cr.AccessKeyID, err)
	}
	if r, err := DefaultRegion(t.Context(), "other"); err != nil || r != "eu-west-1" {
		t.Errorf("region %q, %v", r, err)
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "ENV")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "s")
	env, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	if cr, err := env.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "ENV" {
		t.Errorf("environment: %s, %v", cr.AccessKeyID, err)
	}
	_, err = DefaultCredentials(t.Context(), "missing")
	wantIs(t, err, ErrNoCredentials)
}

func TestNoDefaultCredentials(t *testing.T) {
	sharedFiles(t)
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	c := newTestClient(t, nil, func(o *Options) { o.Credentials = p })
	_, err = c.Ls(t.Context(), &LsInput{Bucket: "bucket"})
	wantIs(t, err, ErrNoCredentials)
}

func TestSharedFileIsReadAnewWhenItChanges(t *testing.T) {
	file := sharedFiles(t)
	writeKeys(t, file, "AKID1")
	p, err := DefaultCredentials(t.Context(), "")
	noError(t, err)
	key := func() string {
		p.(*defaultProvider).checked = time.Time{} // as if a second had passed
		cr, err := p.Retrieve(t.Context())
		noError(t, err)
		return cr.AccessKeyID
	}
	if got := key(); got != "AKID1" {
		t.Errorf("got %s", got)
	}
	writeKeys(t, file, "AKIDNEW")
	if got := key(); got != "AKIDNEW" {
		t.Errorf("after the change: %s", got)
	}
	noError(t, os.WriteFile(file, []byte("[default\n"), 0o600)) // half written
	if got := key(); got != "AKIDNEW" {
		t.Errorf("while the file is written: %s", got)
	}
	writeKeys(t, file, "AKID3")
	p.(*defaultProvider).Invalidate()
	if cr, err := p.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "AKID3" {
		t.Errorf("after a refusal: %s, %v", cr.AccessKeyID, err)
	}
}

// expiring hands out credentials for a time until it fails.
type expiring struct {
	life time.Duration
	n    int
	err  error
}

func (e *expiring) Retrieve(context.Context) (aws.Credentials, error) {
	e.n++
	if e.err != nil {
		return aws.Credentials{}, e.err
	}
	return aws.Credentials{AccessKeyID: "A" + itoa(int64(e.n)), SecretAccessKey: "s", CanExpire: true, Expires: time.Now().Add(e.life)}, nil
}

// chainOf is a default chain that ends at source.
func chainOf(source *expiring) *defaultProvider {
	return &defaultProvider{chain: aws.NewCredentialsCache(source), stamp: fileStamps()}
}

func TestOldCredentialsServeUntilTheyExpire(t *testing.T) {
	sharedFiles(t)
	synctest.Test(t, func(t *testing.T) {
		source := &expiring{life: time.Hour}
		p := chainOf(source)
		_, err := p.Retrieve(t.Context())
		noError(t, err)
		source.err = errors.New("provider is down")
		for range 59 {
			time.Sleep(time.Minute)
			if cr, err := p.Retrieve(t.Context()); err != nil || cr.AccessKeyID != "A1" {
				t.Fatalf("before they expire: %s, %v", cr.AccessKeyID, err)
			}
		}
		if source.n < 2 {
			t.Error("new ones were not asked for in time")
		}
		time.Sleep(2 * time.Minute)
		if _, err := p.Retrieve(t.Context()); !errors.Is(err, source.err) {
			t.Errorf("after they expired: %v", err)
		}
	})
}

// Credentials serve many requests even if their life is short, and no request uses
// credentials that are about to expire.
func TestCredentialsAreRenewedInTime(t *testing.T) {
	sharedFiles(t)
	for _, life := range []time.Duration{time.Minute, 6 * time.Minute, time.Hour, 12 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			source := &expiring{life: life}
			p := chainOf(source)
			const lives = 10
			step := life / 240
			for begin := time.Now(); time.Since(begin) < lives*life; time.Sleep(step) {
				cr, err := p.Retrieve(t.Context())
				noError(t, err)
				if left := time.Until(cr.Expires); left < min(renewBefore, life/2)/2-step {
					t.Fatalf("life %v: used %v before they expire", life, left)
				}
			}
			if source.n < lives-1 || source.n > 2*lives+1 {
				t.Errorf("life %v: fetched %d times in %d lives", life, source.n, lives)
			}
		})
	}
}
