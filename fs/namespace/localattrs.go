package namespace

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
)

// The local attribute cache remembers on disk what HEADs told of objects that
// no attribute index covers, for Options.Posix "full": one file per directory,
// in the format of the index. As there, a row is believed only if ETag, size and
// Last-Modified agree with the listing. It may be deleted at any time.

const (
	// settledAge is how old an object must be for its row to be kept: then no
	// later writer can have the same Last-Modified, by whichever clock. S3
	// refuses requests from clocks that are off by more than 15 minutes.
	settledAge = 16 * time.Minute
	// maxLocalAttrs bounds the files in bytes, and three million rows: beyond it
	// the half that was used the longest ago is deleted.
	maxLocalAttrs = 256 << 20
	localSuffix   = ".attrs"
)

// localFile is where the rows of a directory are.
func (n *Namespace) localFile(dir string) string {
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(n.o.AttrDir, hex.EncodeToString(sum[:16])+localSuffix)
}

// localKey names the rows of a directory beside the indexes in memory: no
// directory's key begins so.
func localKey(dir string) string { return "\x00" + dir }

// useLocal tells whether there is a local attribute cache.
func (n *Namespace) useLocal() bool { return n.o.AttrDir != "" && n.o.Posix == PosixFull }

// localAttrs returns the rows that are remembered of a directory.
func (n *Namespace) localAttrs(dir string) map[string]attrRow {
	if !n.useLocal() {
		return nil
	}
	n.mu.Lock()
	k, held := n.indexes.Get(localKey(dir))
	n.mu.Unlock()
	if held {
		return k.Value.rows
	}
	data, err := os.ReadFile(n.localFile(dir))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			n.o.Logger.Warn("attributes on disk are not used", "dir", dir, "err", err)
		}
		return nil
	}
	name, rows, err := decodeIndex(data)
	if err != nil || name != dir {
		return nil // asked again, and written anew
	}
	now := time.Now()
	_ = os.Chtimes(n.localFile(dir), now, now) // for pruneLocal; it was read all the same
	n.holdLocal(dir, rows)
	return rows
}

func (n *Namespace) holdLocal(dir string, rows map[string]attrRow) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.indexes.Put(localKey(dir), &attrIndex{rows: rows}, n.now().Add(n.o.TTL))
}

// knownLocally gives an entry the attributes that are remembered of its version.
func (n *Namespace) knownLocally(rows map[string]attrRow, rel string, e *Entry) bool {
	r, ok := rows[rel]
	if !ok || e.ETag == "" || r.etag != e.ETag || r.size != e.Size || r.mod != e.LastModified.Unix() {
		return false
	}
	e.Kind, e.Attr, e.Target, e.Exact = r.kind, r.attr.Unpack(r.xattr), r.target, true
	return true
}

// rememberLocally keeps what HEADs have told of rows of a directory.
func (n *Namespace) rememberLocally(dir string, asked []*line) {
	if !n.useLocal() {
		return
	}
	fresh := map[string]attrRow{}
	for _, ln := range asked {
		e := &ln.entry
		if e.Exact && e.ETag != "" && !ln.gone && n.now().Sub(e.LastModified) > settledAge {
			fresh[ln.rel] = *rowFor(e, false)
		}
	}
	if len(fresh) == 0 {
		return
	}
	rows := maps.Clone(n.localAttrs(dir))
	if rows == nil {
		rows = map[string]attrRow{}
	}
	n.prune(dir, rows)
	maps.Copy(rows, fresh)
	n.holdLocal(dir, rows)
	if err := n.writeLocal(dir, rows); err != nil {
		n.o.Logger.Warn("attributes are not kept on disk", "dir", dir, "err", err)
	}
}

// writeLocal replaces the file of a directory. A name of its own for the new
// one keeps two mounts apart.
func (n *Namespace) writeLocal(dir string, rows map[string]attrRow) error {
	if err := os.MkdirAll(n.o.AttrDir, 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(n.o.AttrDir, "new*"+localSuffix)
	if err != nil {
		return err
	}
	_, err = f.Write(encodeIndex(dir, rows))
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), n.localFile(dir))
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// pruneLocal keeps the files of the local attribute cache below limit bytes.
func (n *Namespace) pruneLocal(ctx context.Context, limit int64) {
	found, err := os.ReadDir(n.o.AttrDir)
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
		if os.Remove(filepath.Join(n.o.AttrDir, info.Name())) == nil {
			total -= info.Size()
		}
	}
}
