package attrs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

const (
	// MaxIndexSize bounds one index object: 500,000 rows.
	MaxIndexSize = 64 << 20
	// maxIgnored bounds the indexes of which a reader remembers that it logged them.
	maxIgnored = 1000
)

// reader reads the index objects of directories and caches them. Several callers share
// one GET.
type reader struct {
	store     Store
	catalogue *catalogue
	tables    *cache.Metadata[*Table] // by directory; has its own lock
	jobs      *background.Group
	o         *Options

	mu      lockorder.Mutex[lockorder.Reader]
	loading map[string]*tableLoad // by directory
	ignored map[string]string     // ETags of indexes that are not used, by directory
}

// tableLoad is a GET of an index that several callers may wait for.
type tableLoad struct {
	done  chan struct{}
	table *Table // set before done is closed
	err   error
}

// table returns the index of a directory, or nil if there is none. It is not older than
// since.
func (r *reader) table(ctx context.Context, dir string, since time.Time) (*Table, error) {
	if err := r.catalogue.load(ctx, since); err != nil {
		return nil, err
	}
	etag, possible := r.catalogue.etag(dir)
	k, cached := r.tables.Get(dir)
	if cached {
		same := etag == "" || k.Value.etag == etag
		if k.Value.sealed || k.Value.absent {
			listed, _ := r.catalogue.listed()
			same = !k.Since.Before(listed) // it is asked for again after each catalogue
		}
		if same && time.Now().Before(k.Until) {
			if k.Value.absent {
				return nil, nil
			}
			return k.Value, nil
		}
	}
	if !possible {
		return nil, nil
	}
	return r.await(ctx, dir)
}

// await reads an index, together with other callers, and waits for it.
func (r *reader) await(ctx context.Context, dir string) (*Table, error) {
	l := r.load(dir)
	select {
	case <-l.done:
		return l.table, l.err
	case <-ctx.Done():
		return nil, fmt.Errorf("read attribute index: %w", context.Cause(ctx))
	case <-r.jobs.Context().Done():
		return nil, fmt.Errorf("read attribute index: %w", context.Cause(r.jobs.Context()))
	}
}

// load returns the GET of an index that is under way, or begins one.
func (r *reader) load(dir string) *tableLoad {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.loading[dir]
	if l != nil {
		return l
	}
	l = &tableLoad{done: make(chan struct{})}
	r.loading[dir] = l
	r.jobs.Go(func(ctx context.Context) {
		l.table, l.err = r.read(ctx, dir)
		switch {
		case l.err != nil:
		case l.table == nil:
			r.hold(dir, &Table{absent: true})
		default:
			r.hold(dir, l.table)
		}
		r.mu.Lock()
		delete(r.loading, dir)
		r.mu.Unlock()
		close(l.done)
	})
	return l
}

// hold puts a table into the cache.
func (r *reader) hold(dir string, t *Table) { r.tables.Put(dir, t, time.Now().Add(r.o.TTL)) }

// read performs the GET. An index that cannot be read counts as one without rows, and
// this mount does not write it. A damaged index counts as one without rows as well, and
// the next write replaces it.
func (r *reader) read(ctx context.Context, dir string) (*Table, error) {
	out, err := r.store.Get(ctx, &s3.GetInput{Bucket: r.o.Bucket, Key: r.catalogue.key(dir)})
	switch {
	case errors.Is(err, s3.ErrNotFound):
		return nil, nil
	case err != nil && !unusable(err):
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	case err != nil:
		etag, _ := r.catalogue.etag(dir)
		r.ignore(dir, etag, err)
		if errors.Is(err, s3.ErrChecksum) && etag != "" {
			return &Table{etag: etag, special: true}, nil
		}
		return &Table{special: true, sealed: true}, nil
	}
	defer out.Body.Close()
	t := &Table{etag: out.ETag, mod: out.LastModified.Unix(), special: true}
	rows, err := r.rowsOf(out, dir)
	switch {
	case err != nil && !errors.Is(err, errIndex) && !unusable(err):
		return nil, fmt.Errorf("read attribute index of %q: %w", dir, err)
	case err != nil:
		r.ignore(dir, out.ETag, err)
	default:
		t.setRows(rows)
	}
	return t, nil
}

// unusable reports whether an error concerns one object and will come again: the server
// refuses to show the object, or its bytes are damaged. Any other error means that S3
// does not answer at present.
func unusable(err error) bool {
	var e *s3.Error
	return errors.Is(err, s3.ErrChecksum) || errors.As(err, &e) && e.Status >= 400 && e.Status < 500 && !errors.Is(err, s3.ErrTransient)
}

// rowsOf reads the rows of an index.
func (r *reader) rowsOf(out *s3.GetOutput, dir string) (map[string]Row, error) {
	if out.Size > MaxIndexSize {
		return nil, fmt.Errorf("%w: %d bytes are too many", errIndex, out.Size)
	}
	data, err := io.ReadAll(io.LimitReader(out.Body, MaxIndexSize))
	if err != nil {
		return nil, err
	}
	rel, rows, err := DecodeIndex(data)
	if err == nil && rel != strings.TrimPrefix(dir, string(r.o.Root)) {
		err = fmt.Errorf("%w: it is that of %q", errIndex, rel)
	}
	return rows, err
}

// ignore logs once that a version of an index is not used.
func (r *reader) ignore(dir, etag string, err error) {
	r.mu.Lock()
	old, known := r.ignored[dir]
	if len(r.ignored) >= maxIgnored {
		clear(r.ignored)
	}
	r.ignored[dir] = etag
	r.mu.Unlock()
	if !known || old != etag {
		r.o.Logger.Warn("an attribute index is not used", "dir", dir, "key", r.catalogue.key(dir), "err", err)
	}
}
