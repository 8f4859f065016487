package listing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// Stretch is one LIST of keys in order: of one directory if it is delimited, and
// otherwise of everything below that directory.
type Stretch struct {
	Dir       string // prefix of the directory
	Stem      string // only names that begin so; delimited only
	From      string // full key: begin after it; "" is the beginning
	Token     string // continues an earlier LIST; takes precedence over From
	Delimited bool
	Max       int // number of keys; 0 is s3.MaxListKeys
}

// Fetcher performs LISTs and adds their results to the Cache. Concurrent callers that
// need the same LIST share it.
type Fetcher struct {
	store Store
	c     *Cache
	jobs  *background.Group
	o     Options

	mu      lockorder.Mutex[lockorder.Fetcher]
	flights map[Stretch]*flight
}

// NewFetcher returns a Fetcher that fills c.
func NewFetcher(store Store, c *Cache, jobs *background.Group) *Fetcher {
	return &Fetcher{store: store, c: c, jobs: jobs, o: c.o, flights: map[Stretch]*flight{}}
}

// Fetch performs one LIST, or shares one. complete is false if there are further keys
// behind it.
func (f *Fetcher) Fetch(ctx context.Context, s Stretch) (complete bool, err error) {
	got, err := f.fetch(ctx, s)
	return err == nil && got.token == "", err
}

// Ls performs one LIST that does not go through the cache. It asks S3 until a page has
// rows or is the last: some servers answer with empty pages in between. Package s3 bounds
// the number of empty pages.
func (f *Fetcher) Ls(ctx context.Context, s Stretch) (*s3.LsPage, error) {
	return f.lsWhile(ctx, s, func() bool { return true })
}

// Coming returns the LIST across directories under way that will most likely show a key.
func (f *Fetcher) Coming(key string) (s Stretch, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.comingFor(key)
}

// flight is a LIST that several may wait for.
type flight struct {
	when    time.Time
	waiters int // guarded by Fetcher.mu
	done    chan struct{}
	got     listing
	err     error
}

// errUnwanted ends a LIST of several pages once nobody waits for it.
var errUnwanted = errors.New("no caller waits for the listing")

// listing is the result of a LIST.
type listing struct {
	Stretch
	when  time.Time
	token string  // continues it; "" at the end
	to    string  // the row up to which a delimited LIST has rows
	more  bool    // there are rows after to
	rows  int     // of a delimited LIST
	pages []*page // also those for which there is no room in the cache; guarded by Fetcher.mu

	raw     *s3.LsPage     // the answer of S3
	changes []entry.Change // the changes of this mount while the LIST was under way
}

// fetch performs one LIST and adds the answer to the cache. Concurrent callers share a
// LIST. If the context of a caller ends, the LIST continues for the others.
func (f *Fetcher) fetch(ctx context.Context, s Stretch) (listing, error) {
	return f.fetchSince(ctx, s, time.Time{})
}

// fetchSince is fetch for a reader that began at the time since. It returns the cached
// rows if another caller has added them in the meantime. If cached entries are not
// valid for any time, the reader shares no LIST that began before since.
func (f *Fetcher) fetchSince(ctx context.Context, s Stretch, since time.Time) (listing, error) {
	f.mu.Lock()
	if got, ok := f.came(s, since); ok {
		f.mu.Unlock()
		return got, nil
	}
	fl := f.flights[s]
	if fl == nil || f.o.TTL < MinTrust && fl.when.Before(since) {
		fl = &flight{when: time.Now(), done: make(chan struct{})}
		f.flights[s] = fl
		f.jobs.Go(func(context.Context) {
			fl.got, fl.err = f.list(f.jobs.Context(), s, func() bool { return f.isWanted(s, fl) })
			f.mu.Lock()
			if f.flights[s] == fl {
				delete(f.flights, s)
			}
			f.mu.Unlock()
			close(fl.done)
		})
	}
	fl.waiters++
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		fl.waiters--
		f.mu.Unlock()
	}()
	select {
	case <-fl.done:
		return fl.got, fl.err
	case <-ctx.Done():
		return listing{}, fmt.Errorf("list %q: %w", s.Dir, context.Cause(ctx))
	case <-f.jobs.Context().Done():
		return listing{}, fmt.Errorf("list %q: %w", s.Dir, background.ErrClosed)
	}
}

// isWanted reports whether somebody waits for a LIST. One that nobody waits for
// is shared no longer.
func (f *Fetcher) isWanted(s Stretch, fl *flight) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiters == 0 && f.flights[s] == fl {
		delete(f.flights, s)
	}
	return fl.waiters > 0
}

// came returns the cached rows of a Stretch. f.mu is held.
func (f *Fetcher) came(s Stretch, since time.Time) (listing, bool) {
	if since.IsZero() || !s.Delimited || s.Stem != "" {
		return listing{}, false
	}
	f.c.mu.Lock()
	defer f.c.mu.Unlock()
	p := f.c.pages.freshAfter(s.Dir, strings.TrimPrefix(s.From, s.Dir), since)
	if p == nil || s.From == "" && p.from != "" {
		return listing{}, false
	}
	p = p.snapshot() // the one in the cache may be gone before the caller looks again
	return listing{Stretch: s, when: p.when, token: p.token, to: p.to, more: !p.end, rows: len(p.rows), pages: []*page{p}}, true
}

// pageIn returns the page of a listing that has what follows a row of a
// directory, or nil. Where changes have cut the page up since, it is made anew
// out of the answer of S3. f.mu is held.
func (f *Fetcher) pageIn(got *listing, dir, rel string) *page {
	follows := func(p *page) bool { return p.dir == dir && p.from <= rel && (p.end || rel < p.to) }
	if i := slices.IndexFunc(got.pages, follows); i >= 0 {
		return got.pages[i]
	}
	if got.raw == nil || !got.Delimited {
		return nil
	}
	b := builder{c: f.c, when: got.when, told: time.Now(), from: got.From, token: got.token}
	b.delimited(got.Dir, got.Stem, got.raw)
	if len(b.done) == 0 || !follows(b.done[0]) {
		return nil
	}
	p := b.done[0]
	for _, m := range got.changes {
		switch in, rel := f.c.root.RowOf(m.Entry); {
		case in != dir || !p.covers(rel):
		case m.Gone:
			p.remove(rel)
		default:
			p.put(rel, &m.Entry, m.Own)
		}
	}
	return p
}

// list performs one LIST and puts the answer into the cache. It begins no
// further page once nobody wants it.
func (f *Fetcher) list(ctx context.Context, s Stretch, wanted func() bool) (listing, error) {
	a := f.c.Begin(s.Dir)
	when := time.Now()
	got, err := f.lsWhile(ctx, s, wanted)
	if err != nil {
		a.Drop()
		return listing{}, fmt.Errorf("list %q: %w", s.Dir, err)
	}
	b := builder{c: f.c, when: when, told: time.Now(), from: s.From, token: got.NextToken}
	res := listing{Stretch: s, when: when, token: got.NextToken, more: got.NextToken != "", raw: got}
	f.c.mu.Lock()
	a.end(func() {
		if s.Delimited {
			b.delimited(s.Dir, s.Stem, got)
			res.rows = len(got.Objects) + len(got.CommonPrefixes)
		} else {
			b.flat(s.Dir, got)
		}
		for _, p := range b.done {
			res.to = p.to
			f.c.addPage(p)
		}
		res.pages, res.changes = b.done, a.changes
	})
	f.c.mu.Unlock()
	return res, nil
}

// lsWhile is ls that begins no further page once wanted returns false.
func (f *Fetcher) lsWhile(ctx context.Context, s Stretch, wanted func() bool) (*s3.LsPage, error) {
	in := &s3.LsInput{
		Bucket: f.o.Bucket, Prefix: s.Dir + s.Stem, MaxKeys: s.Max,
		ContinuationToken: s.Token, StartAfter: s.From,
	}
	if s.Delimited {
		in.Delimiter = "/"
	}
	for {
		got, err := f.store.Ls(ctx, in)
		if err != nil {
			return nil, err
		}
		if got.NextToken == "" || len(got.Objects)+len(got.CommonPrefixes) > 0 {
			return got, nil
		}
		if !wanted() {
			return nil, errUnwanted
		}
		in.ContinuationToken = got.NextToken
	}
}

// Before returns a position right before a key in the order of keys, as far as
// a valid start-after can be. It is never the key of a directory: a listing from
// there would not show whether the directory has a marker.
func Before(key string) string {
	r, size := utf8.DecodeLastRuneInString(key)
	stem := key[:len(key)-size]
	switch {
	case key == "" || r == utf8.RuneError && size <= 1, r == 0:
		if strings.HasSuffix(stem, "/") {
			return Before(stem)
		}
		return stem
	case r == 0xE000:
		r = 0xD800 // the surrogates between are no characters
	}
	return stem + string(r-1) + highest
}

// comingFor returns the pending LIST across directories that most likely contains a
// key: of all that begin before the key, the last one. f.mu is held.
func (f *Fetcher) comingFor(key string) (s Stretch, ok bool) {
	for fl := range f.flights {
		shows := !fl.Delimited && fl.Max == 0 && strings.HasPrefix(key, fl.Dir) && fl.From <= key
		if shows && (!ok || fl.From > s.From) {
			s, ok = fl, true
		}
	}
	return s, ok
}
