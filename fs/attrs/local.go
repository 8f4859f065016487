package attrs

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/background"
	"github.com/s3mount/s3mount/fs/entry"
)

const (
	// settledAge is the age from which on the row of an object is kept. No later
	// writer can then have the same Last-Modified, even if its clock is wrong: S3
	// refuses requests from clocks that are off by more than 15 minutes.
	settledAge = 16 * time.Minute
	// maxLocalAttrs bounds the files in bytes, and three million rows: beyond that,
	// the half with the oldest use is deleted.
	maxLocalAttrs = 256 << 20
	localSuffix   = ".attrs"
)

// Local remembers on the local disk which attributes HEADs have shown of objects that no
// attribute index covers, for PosixFull. It has one file per directory, in the format of
// an index. As in an index, a row counts only if ETag, size and Last-Modified agree with
// the listing. The files may be deleted at any time.
type Local struct {
	listing Listing
	tables  *cache.Metadata[*Table] // shared with the reader; has its own lock
	o       *Options
}

// LocalRows are the rows that are remembered of one directory.
type LocalRows map[string]Row

func newLocal(listing Listing, jobs *background.Group, tables *cache.Metadata[*Table], o *Options) *Local {
	l := &Local{listing: listing, tables: tables, o: o}
	if l.enabled() {
		jobs.Go(func(ctx context.Context) { l.shrink(ctx, maxLocalAttrs) })
	}
	return l
}

// file returns the path of the file of a directory.
func (l *Local) file(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(l.o.Dir, hex.EncodeToString(sum[:16])+localSuffix)
}

// localKey names the rows of a directory beside the indexes in memory: no
// directory's key begins so.
func localKey(dir string) string { return "\x00" + dir }

// enabled reports whether attributes are remembered.
func (l *Local) enabled() bool { return l.o.Dir != "" && l.o.Posix == PosixFull }

// Rows returns the rows that are remembered of a directory.
func (l *Local) Rows(dir string) LocalRows {
	if !l.enabled() {
		return nil
	}
	k, held := l.tables.Get(localKey(dir))
	if held {
		return k.Value.rows
	}
	data, err := os.ReadFile(l.file(dir))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			l.o.Logger.Warn("attributes on disk are not used", "dir", dir, "err", err)
		}
		return nil
	}
	name, rows, err := DecodeIndex(data)
	if err != nil || name != dir {
		return nil // the objects are asked again, and the file is written anew
	}
	now := time.Now()
	_ = os.Chtimes(l.file(dir), now, now) // for shrink; the rows are read in any case
	l.hold(dir, rows)
	return rows
}

// hold keeps the rows of a directory in memory.
func (l *Local) hold(dir string, rows LocalRows) {
	l.tables.Put(localKey(dir), &Table{rows: rows}, time.Now().Add(l.o.TTL))
}

// Complete gives an entry the attributes that are remembered of its version.
func (rows LocalRows) Complete(rel string, e *entry.Entry) bool {
	r, ok := rows[rel]
	if !ok || e.ETag == "" || r.etag != e.ETag || r.size != e.Size || r.mod != e.LastModified.Unix() {
		return false
	}
	e.Kind, e.Attr, e.Target, e.Exact = r.kind, r.attr.Unpack(r.xattr), r.target, true
	return true
}

// Remember keeps the attributes of entries of a directory, by rel, that HEADs have shown.
func (l *Local) Remember(dir string, entries map[string]*entry.Entry) {
	if !l.enabled() {
		return
	}
	fresh := LocalRows{}
	for rel, e := range entries {
		if e.Exact && e.ETag != "" && settled(e) {
			fresh[rel] = *rowFor(e, false)
		}
	}
	if len(fresh) == 0 {
		return
	}
	rows := maps.Clone(l.Rows(dir))
	if rows == nil {
		rows = LocalRows{}
	}
	prune(l.listing, dir, rows)
	maps.Copy(rows, fresh)
	l.hold(dir, rows)
	if err := l.write(dir, rows); err != nil {
		l.o.Logger.Warn("attributes are not kept on disk", "dir", dir, "err", err)
	}
}

// write replaces the file of a directory. The new file has a
// name of its own first, which keeps two mounts apart.
func (l *Local) write(dir string, rows LocalRows) error {
	if err := os.MkdirAll(l.o.Dir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(l.o.Dir, "new*"+localSuffix)
	if err != nil {
		return err
	}
	_, err = f.Write(EncodeIndex(dir, rows))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), l.file(dir))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// shrink keeps the files below limit bytes.
func (l *Local) shrink(ctx context.Context, limit int64) {
	found, err := os.ReadDir(l.o.Dir)
	if err != nil {
		return // there is nothing yet
	}
	var files []fs.FileInfo
	total := int64(0)
	for _, d := range found {
		if info, err := d.Info(); err == nil && strings.HasSuffix(d.Name(), localSuffix) {
			files = append(files, info)
			total += info.Size()
		}
	}
	if total <= limit {
		return
	}
	slices.SortFunc(files, func(a, b fs.FileInfo) int { return a.ModTime().Compare(b.ModTime()) })
	for _, info := range files {
		if total <= limit/2 || ctx.Err() != nil {
			return
		}
		if os.Remove(filepath.Join(l.o.Dir, info.Name())) == nil {
			total -= info.Size()
		}
	}
}
