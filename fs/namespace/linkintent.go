package namespace

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// linkIntent is the record, in the state directory, of a group of hard links
// whose names are being changed. As with a rename it is locked for as long as
// that lasts.
type linkIntent struct {
	Bucket string `json:"bucket"`
	Prefix string `json:"prefix"`
	ID     string `json:"id"`
}

const linkIntentSuffix = ".links.json"

// BeginLinks notes that the names of a group are going to be changed one after
// the other: if this mount dies before as many calls of EndLinks, Recover
// brings them together.
func (n *Namespace) BeginLinks(id string) error {
	n.mu.Lock()
	c := n.linking[id]
	if c != nil {
		c.users++
		n.mu.Unlock()
		<-c.ready
		return c.err
	}
	c = &linkChange{users: 1, ready: make(chan struct{})}
	n.linking[id] = c
	n.mu.Unlock()
	c.it, c.err = n.writeLinkIntent(id)
	if c.err != nil {
		n.mu.Lock()
		delete(n.linking, id)
		n.mu.Unlock()
	}
	close(c.ready)
	return c.err
}

// linkChange is a group whose names are being changed.
type linkChange struct {
	users int // guarded by Namespace.mu
	ready chan struct{}
	it    *intent // set before ready is closed, as err
	err   error
}

// writeLinkIntent makes the record. Its name is its own: another mount on this
// machine may be changing the same group.
func (n *Namespace) writeLinkIntent(id string) (*intent, error) {
	it := &intent{}
	if n.o.StateDir == "" {
		return it, nil
	}
	data, err := json.Marshal(linkIntent{Bucket: n.o.Bucket, Prefix: n.o.Prefix, ID: id})
	if err != nil {
		return nil, fmt.Errorf("encode record of links: %w", err)
	}
	it.file, err = lockedFile(filepath.Join(n.o.StateDir, id+"-"+rand.Text()+linkIntentSuffix), data)
	if err != nil {
		return nil, fmt.Errorf("write record of links: %w", err)
	}
	return it, nil
}

// EndLinks says that all names of a group are the same again.
func (n *Namespace) EndLinks(id string) {
	n.mu.Lock()
	c := n.linking[id]
	if c == nil {
		n.mu.Unlock()
		return
	}
	c.users--
	last := c.users == 0
	if last {
		delete(n.linking, id)
	}
	n.mu.Unlock()
	if !last {
		return
	}
	if err := c.it.end(true); err != nil {
		n.o.Logger.Warn("a record of links is left behind", "id", id, "err", err)
	}
}

// abandonLinks leaves what was not brought to an end to the next mount.
func (n *Namespace) abandonLinks() {
	n.mu.Lock()
	left := slices.Collect(maps.Values(n.linking))
	clear(n.linking)
	n.mu.Unlock()
	for _, c := range left {
		<-c.ready
		if c.err == nil {
			_ = c.it.end(false) // only gives the lock back
		}
	}
}

// recoverLinks mends the groups that mounts which died were changing.
func (n *Namespace) recoverLinks(ctx context.Context, found []fs.DirEntry) error {
	var errs []error
	for _, d := range found {
		if strings.HasSuffix(d.Name(), linkIntentSuffix) {
			errs = append(errs, n.recoverGroup(ctx, filepath.Join(n.o.StateDir, d.Name())))
		}
	}
	return errors.Join(errs...)
}

// recoverGroup mends one group, unless a mount that lives is at it.
func (n *Namespace) recoverGroup(ctx context.Context, path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("open record of links: %w", err)
	}
	it := &intent{file: f}
	if lockFile(f) != nil {
		return it.end(false)
	}
	var l linkIntent
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil {
		n.o.Logger.Warn("a record of links cannot be read and is dropped", "path", path, "err", err)
		return it.end(true)
	}
	if l.Bucket != n.o.Bucket || l.Prefix != n.o.Prefix {
		return it.end(false)
	}
	n.o.Logger.Info("mending hard links that were being changed", "id", l.ID)
	ctx, stop := context.WithTimeout(ctx, recoverTime)
	defer stop()
	err = n.mend(ctx, l.ID)
	if endErr := it.end(err == nil); err == nil {
		err = endErr
	}
	if err != nil {
		return fmt.Errorf("mend hard links %s: %w", l.ID, err)
	}
	return nil
}
