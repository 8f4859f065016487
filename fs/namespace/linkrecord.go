package namespace

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// linksDir is where the records of the groups of hard links are, below the
// mount's root.
const linksDir = reservedDir + "links/"

const (
	// MaxLinks is how many names a file may have. A write of the file is a copy
	// for each: with 1000 it still takes a second or two, and the record, keys
	// of at most 1 KiB, stays below a mebibyte. ext4 allows 65,000.
	MaxLinks = 1000
	// linkMemory bounds the records that are held: 10,000 of two names.
	linkMemory = 4 << 20
	// maxLinkRecord bounds one record: MaxLinks keys of 1 KiB, escaped.
	maxLinkRecord = 8 << 20
	// linkTries is how often a change of a record is tried again that another
	// mount changed meanwhile.
	linkTries = 10
)

// Links is the record of a group: its names, of which the first is the one that
// is written. It does not change.
type Links struct {
	ID   string
	Keys []string // full keys
	etag string   // of the record; "" if there is none
	read time.Time
}

// linkRecord is the record as S3 holds it.
type linkRecord struct {
	Version int      `json:"version"`
	Keys    []string `json:"keys"` // below the mount's root
}

const linkRecordVersion = 1

// Has reports whether a key is one of the group's names.
func (g *Links) Has(key string) bool { return slices.Contains(g.Keys, key) }

// linkOf is the Link of an entry that carries the mark of the group.
func (g *Links) linkOf(e Entry) *Link {
	if !g.Has(e.Key) {
		return nil
	}
	return e.Link.With(len(g.Keys))
}

func linksCost(id string, g *Links) int64 {
	const size = 200 // of the struct, the id and the ETag
	n := size
	for _, k := range g.Keys {
		n += len(k) + 16
	}
	return int64(n)
}

func (n *Namespace) linkKey(id string) string { return n.o.Prefix + linksDir + id }

// Links returns the record of a group. One that is not there has no keys.
func (n *Namespace) Links(ctx context.Context, id string) (*Links, error) {
	n.mu.Lock()
	k, ok := n.links.Get(id)
	n.mu.Unlock()
	if ok && n.now().Before(k.Until) {
		return k.Value, nil
	}
	return n.readLinks(ctx, id)
}

// KnownLinks returns the names of a group as far as they are known without a request.
func (n *Namespace) KnownLinks(id string) []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, ok := n.links.Get(id)
	if !ok {
		return nil
	}
	return k.Value.Keys
}

// readLinks asks S3 for a record.
func (n *Namespace) readLinks(ctx context.Context, id string) (*Links, error) {
	g := &Links{ID: id, read: n.now()}
	out, err := n.store.Get(ctx, &s3.GetInput{Bucket: n.o.Bucket, Key: n.linkKey(id)})
	switch {
	case errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket):
		n.keepLinks(g)
		return g, nil
	case err != nil:
		return nil, fmt.Errorf("read the record of hard links %s: %w", id, err)
	}
	defer out.Body.Close()
	data, err := io.ReadAll(io.LimitReader(out.Body, maxLinkRecord))
	if err != nil {
		return nil, fmt.Errorf("read the record of hard links %s: %w", id, err)
	}
	g.etag = out.ETag
	var r linkRecord
	if err := json.Unmarshal(data, &r); err != nil || r.Version != linkRecordVersion {
		n.o.Logger.Warn("a record of hard links is not used", "id", id, "err", err)
		r.Keys = nil
	}
	for _, k := range r.Keys {
		if k = n.o.Prefix + k; !g.Has(k) && len(g.Keys) < MaxLinks {
			g.Keys = append(g.Keys, k)
		}
	}
	n.keepLinks(g)
	return g, nil
}

// keepLinks holds a record.
func (n *Namespace) keepLinks(g *Links) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.links.Put(g.ID, g, n.now().Add(n.o.TTL))
}

// editLinks changes the names of a group by edit, which may be called several
// times, on the condition that no other mount changed them meanwhile. A group
// of one name needs no record. fresh tells edit from what S3 holds, not from
// what is held here.
func (n *Namespace) editLinks(ctx context.Context, id string, fresh bool, edit func(keys []string) ([]string, error)) (*Links, error) {
	get := n.Links
	if fresh {
		get = n.readLinks
	}
	for try := 0; ; try++ {
		old, err := get(ctx, id)
		if err != nil {
			return nil, err
		}
		keys, err := edit(slices.Clone(old.Keys))
		if err != nil {
			return nil, err
		}
		if slices.Equal(keys, old.Keys) {
			return old, nil
		}
		g := &Links{ID: id, Keys: keys, read: n.now()}
		err = n.writeLinks(ctx, g, old.etag)
		if err == nil {
			n.keepLinks(g)
			n.noteLinks(g, old)
			return g, nil
		}
		if !errors.Is(err, s3.ErrPreconditionFailed) && !errors.Is(err, s3.ErrConflict) && !errors.Is(err, s3.ErrNotFound) || try == linkTries {
			return nil, fmt.Errorf("change the record of hard links %s: %w", id, err)
		}
		get = n.readLinks
	}
}

// writeLinks writes or deletes a record in place of the version etag.
func (n *Namespace) writeLinks(ctx context.Context, g *Links, etag string) error {
	if len(g.Keys) < 2 {
		if etag == "" {
			return nil
		}
		return n.deleteObjects(ctx, []s3.ObjectID{{Key: n.linkKey(g.ID), ETag: etag}})[n.linkKey(g.ID)]
	}
	r := linkRecord{Version: linkRecordVersion}
	for _, k := range g.Keys {
		r.Keys = append(r.Keys, strings.TrimPrefix(k, n.o.Prefix))
	}
	data, err := json.Marshal(r)
	if err != nil {
		return err
	}
	in := &s3.PutInput{Bucket: n.o.Bucket, Key: n.linkKey(g.ID), Body: bytes.NewReader(data), Size: int64(len(data))}
	in.ContentType = "application/json"
	in.IfMatch = etag
	if etag == "" {
		in.IfNoneMatch = "*"
	}
	out, err := n.store.Put(ctx, in)
	if errors.Is(err, s3.ErrNotImplemented) {
		in.IfMatch, in.IfNoneMatch = "", ""
		in.Body = bytes.NewReader(data)
		out, err = n.store.Put(ctx, in)
	}
	if err != nil {
		return err
	}
	g.etag = out.ETag
	return nil
}

// noteLinks brings the indexes of the directories of a group's names to what
// has become of it.
func (n *Namespace) noteLinks(g, old *Links) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.o.ReadOnly || n.noIndex {
		return
	}
	for _, key := range old.Keys {
		dir, rel := n.fileParts(key)
		if rel == "" || !n.hasIndex(dir) && n.changes[dir] == nil {
			continue
		}
		c := n.change(dir)
		if c.counts == nil {
			c.counts = map[string]Link{}
		}
		count := 0
		if g.Has(key) {
			count = len(g.Keys)
		}
		c.counts[rel] = Link{ID: g.ID, Count: count}
		c.last = n.now()
	}
	n.scheduleIndexes()
}

// sameLink reports whether two rows tell the same of a group.
func sameLink(a, b *Link) bool { return a == b || a != nil && b != nil && *a == *b }

// withCount is the link of an index row after the group has become c.
func withCount(l *Link, c Link) *Link {
	if l == nil || l.ID != c.ID {
		return l
	}
	return l.With(c.Count)
}
