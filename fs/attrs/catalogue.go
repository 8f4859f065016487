package attrs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// indexDir holds the attribute indexes, below the reserved directory of the mount.
const indexDir = "attrs/"

// catalogue knows which directories have an attribute index. It takes one LIST in place
// of one GET per directory, and none at all where the listing of the root shows that no
// mount has ever written a hint.
type catalogue struct {
	store   Store
	listing Listing
	jobs    *background.Group
	o       *Options

	mu      lockorder.Mutex[lockorder.Catalogue]
	when    time.Time // the LIST began; zero if there was none
	more    bool      // the LIST has further pages, so there may be more indexes
	etags   map[string]version
	loading *catalogueLoad
}

// version is the version of an index.
type version struct {
	etag string
	own  time.Time // when this mount wrote it, zero if it comes from the LIST
}

// catalogueLoad is a LIST of the indexes that several callers may wait for.
type catalogueLoad struct {
	began time.Time
	done  chan struct{}
	err   error // set before done is closed
}

// key returns the key of the index of a directory. The name is a hash, so it is never
// too long and never special.
func (c *catalogue) key(dir string) string { return c.prefix() + c.name(dir) }

func (c *catalogue) prefix() string { return c.o.Root.ReservedDir() + indexDir }

func (c *catalogue) name(dir string) string {
	sum := sha256.Sum256([]byte(strings.TrimPrefix(dir, string(c.o.Root))))
	return hex.EncodeToString(sum[:16])
}

// fresh reports whether the catalogue is believed and was listed after since. If a
// fresh listing of the root does not show the reserved directory, the catalogue is
// empty.
func (c *catalogue) fresh(since time.Time) bool {
	if c.believed(since) {
		return true
	}
	if when, absent := c.listing.Absent(string(c.o.Root), entry.ReservedRel); absent {
		c.set(when, &s3.LsPage{})
	}
	return c.believed(since)
}

func (c *catalogue) believed(since time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.when.IsZero() && time.Since(c.when) < max(c.o.TTL, minTrust) && !c.when.Before(since)
}

// load makes sure that the catalogue is believed and was listed after since.
func (c *catalogue) load(ctx context.Context, since time.Time) error {
	if c.fresh(since) {
		return nil
	}
	err := c.wait(ctx, c.begin(since))
	if listed, _ := c.listed(); err == nil && listed.Before(since) {
		err = c.wait(ctx, c.begin(since)) // it shared a LIST that began before since
	}
	if err != nil && unusable(err) {
		c.set(time.Now(), &s3.LsPage{}) // a policy hides the hints: there are none for this mount
		return nil
	}
	if err != nil {
		return fmt.Errorf("list attribute indexes: %w", err)
	}
	return nil
}

// begin returns the LIST under way, or begins one. It returns nil if another caller has
// just finished one.
func (c *catalogue) begin(since time.Time) *catalogueLoad {
	c.mu.Lock()
	defer c.mu.Unlock()
	l := c.loading
	if l == nil && !c.when.IsZero() && time.Since(c.when) < max(c.o.TTL, minTrust) && !c.when.Before(since) {
		return nil
	}
	if l != nil && (c.o.TTL >= minTrust || !l.began.Before(since)) {
		return l
	}
	l = &catalogueLoad{began: time.Now(), done: make(chan struct{})}
	c.loading = l
	c.jobs.Go(func(ctx context.Context) {
		got, err := c.list(ctx)
		if err == nil {
			c.set(l.began, got)
		}
		l.err = err
		c.mu.Lock()
		if c.loading == l {
			c.loading = nil
		}
		c.mu.Unlock()
		close(l.done)
	})
	return l
}

// wait waits for a LIST.
func (c *catalogue) wait(ctx context.Context, l *catalogueLoad) error {
	if l == nil {
		return nil
	}
	select {
	case <-l.done:
		return l.err
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-c.jobs.Context().Done():
		return context.Cause(c.jobs.Context())
	}
}

// list returns the first page of the indexes that is not empty. Package s3 bounds the
// number of empty pages.
func (c *catalogue) list(ctx context.Context) (*s3.LsPage, error) {
	in := &s3.LsInput{Bucket: c.o.Bucket, Prefix: c.prefix()}
	for {
		got, err := c.store.Ls(ctx, in)
		if err != nil || got.NextToken == "" || len(got.Objects) > 0 {
			return got, err
		}
		in.ContinuationToken = got.NextToken
	}
}

// set takes in a listing of the indexes. It keeps the indexes that this mount has
// written since the listing began.
func (c *catalogue) set(when time.Time, got *s3.LsPage) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if when.Before(c.when) {
		return
	}
	etags := map[string]version{}
	for _, o := range got.Objects {
		etags[strings.TrimPrefix(o.Key, c.prefix())] = version{etag: o.ETag}
	}
	for name, v := range c.etags {
		if !v.own.Before(when) {
			etags[name] = v
		}
	}
	c.when, c.more, c.etags = when, got.NextToken != "", etags
}

// clear forgets the catalogue.
func (c *catalogue) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.when, c.more, c.etags = time.Time{}, false, nil
}

// listed returns when the catalogue was listed, and whether it has any index.
func (c *catalogue) listed() (when time.Time, any bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.when, len(c.etags) > 0
}

// etag returns the ETag of the index of a directory, and whether there may be one.
func (c *catalogue) etag(dir string) (etag string, possible bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	v, ok := c.etags[c.name(dir)]
	return v.etag, ok || c.more
}

// has reports whether a directory is known to have an index.
func (c *catalogue) has(dir string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.etags[c.name(dir)]
	return ok
}

// wrote takes in an index that this mount has written.
func (c *catalogue) wrote(dir, etag string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.etags != nil {
		c.etags[c.name(dir)] = version{etag: etag, own: time.Now()}
	}
}

// drop forgets the index of a directory, and reports whether there may be one.
func (c *catalogue) drop(dir string) (possible bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.etags[c.name(dir)]
	delete(c.etags, c.name(dir))
	return ok || c.more
}
