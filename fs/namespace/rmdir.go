package namespace

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// Rmdir removes an empty directory. S3 has executed the removal, and those of all
// that was in the directory, when it returns, unless the caller keeps it in a
// journal (Options.Journaled). The error is ErrNotEmpty, ErrNotDir, or that of a
// delete in the directory which failed.
func (n *Namespace) Rmdir(ctx context.Context, dir Entry, text string, e Entry) error {
	if err := n.rmdir(ctx, text, e, n.o.Journaled); err != nil || n.o.Journaled {
		return err
	}
	err := n.waitAcknowledged(ctx)
	if err == nil {
		err = n.waitBelow(ctx, e.Key)
	}
	if err == nil {
		err = n.takeError(e.Key)
	}
	if err != nil {
		n.mu.Lock()
		n.forget(e) // what could not be deleted keeps it
		n.mu.Unlock()
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	return nil
}

// RmdirInRun is Rmdir for a directory of many that one program removes, as
// UnlinkInRun is Unlink.
func (n *Namespace) RmdirInRun(ctx context.Context, dir Entry, text string, e Entry) error {
	return n.rmdir(ctx, text, e, true)
}

func (n *Namespace) rmdir(ctx context.Context, text string, e Entry, gather bool) error {
	if e.Kind != Directory {
		return fmt.Errorf("rmdir %q: %w", text, ErrNotDir)
	}
	if _, stem := n.keys.Stem(e); stem != "" {
		return n.rmdirCont(ctx, text, e)
	}
	if err := n.takeError(e.Key); err != nil {
		return fmt.Errorf("rmdir %q: an earlier delete in it failed: %w", e.Key, err)
	}
	explicit, err := n.mustBeEmpty(ctx, e.Key)
	if err != nil {
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	if err := n.remove(ctx, &deletion{entry: e, none: !explicit, gather: gather}); err != nil {
		return fmt.Errorf("rmdir %q: %w", e.Key, err)
	}
	return nil
}

// rmdirCont removes a directory of names that begin alike: it exists through
// them alone.
func (n *Namespace) rmdirCont(ctx context.Context, text string, e Entry) error {
	l := n.OpenDir(e)
	defer l.Close()
	_, more, err := l.Next(ctx)
	if more {
		err = ErrNotEmpty
	}
	if err != nil {
		return fmt.Errorf("rmdir %q: %w", text, err)
	}
	return nil
}

// emptyTrust is how long a listing proves that a directory is empty. rm -r
// lists, unlinks and removes within it and so needs no request for each
// directory. If another mount fills one in this moment, its files keep it.
const emptyTrust = 2 * time.Second

// mustBeEmpty returns ErrNotEmpty if a directory has children, and else
// whether it has a marker. A complete and fresh listing whose rows this mount
// all deleted is enough: should another mount have added a file meanwhile,
// then only the marker is deleted and the file keeps its directory.
func (n *Namespace) mustBeEmpty(ctx context.Context, key string) (explicit bool, err error) {
	if n.pending.below(key) {
		return false, ErrNotEmpty
	}
	if rows, complete, explicit := n.visible(key); complete && rows == 0 && n.known.JustListed(key, emptyTrust) {
		return explicit, nil
	}
	if err := n.waitBelow(ctx, key); err != nil {
		return false, err
	}
	got, err := n.fetcher.Ls(ctx, listing.Stretch{Dir: key, Max: 2})
	if err != nil {
		return false, err
	}
	for _, o := range got.Objects {
		if o.Key != key || o.Size > 0 {
			return false, ErrNotEmpty
		}
		explicit = true
	}
	return explicit, nil
}

// keeper is the nearest directory above a deletion that stays.
func (n *Namespace) keeper(d *deletion) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.keeperLocked(d)
}

func (n *Namespace) keeperLocked(d *deletion) string {
	dir := d.dir
	for dir != n.o.Prefix && n.hidden[dir] != nil {
		dir, _ = n.keys.Split(dir)
	}
	return dir
}

// keepDirs writes the markers of the directories that a batch would make
// vanish, and returns those where that failed.
func (n *Namespace) keepDirs(ctx context.Context, batch []*deletion) map[string]error {
	dirs := map[string]bool{}
	for _, d := range batch {
		dirs[n.keeper(d)] = true
	}
	failed := map[string]error{}
	for dir := range dirs {
		if err := n.keepDir(ctx, dir); err != nil {
			failed[dir] = err
		}
	}
	return failed
}

// keepDir writes the marker of a directory if it has none and seems to be empty, or if it may not
// be listed.
func (n *Namespace) keepDir(ctx context.Context, dir string) error {
	if dir == n.o.Prefix {
		return nil
	}
	rows, complete, explicit := n.visible(dir)
	if rows > 0 || explicit {
		return nil
	}
	if !complete {
		if _, err := n.fetcher.Fetch(ctx, listing.Stretch{Dir: dir, Delimited: true}); err != nil && !errors.Is(err, s3.ErrForbidden) {
			return err
		}
		if rows, _, explicit = n.visible(dir); rows > 0 || explicit {
			return nil
		}
	}
	n.mu.Lock()
	if other := n.keeping[dir]; other != nil {
		n.mu.Unlock()
		<-other.done // a batch before this one keeps it
		return nil
	}
	if n.hidden[dir] != nil {
		n.mu.Unlock()
		return nil // removed meanwhile
	}
	k := &keeping{done: make(chan struct{})}
	n.keeping[dir] = k
	n.mu.Unlock()
	a := n.defaults.Attr(Directory, time.Now())
	_, err := n.putMarker(ctx, dir, a, s3.ObjectOptions{}, true)
	if errors.Is(err, s3.ErrPreconditionFailed) {
		err = nil // another made it meanwhile
	}
	n.mu.Lock()
	k.made = err == nil
	delete(n.keeping, dir)
	n.mu.Unlock()
	close(k.done)
	return err
}

// keeping is a marker on its way for a directory that lost its last child. A
// rmdir that comes in this moment must delete it, too.
type keeping struct {
	done chan struct{}
	made bool // set before done is closed
}

// visible tells what the cache knows of a directory's contents in S3: how many
// children there are, at least one of them if rows > 0, whether that is
// everything, and whether it has a marker. A pending file is no child: it may
// never come to be there.
func (n *Namespace) visible(dir string) (rows int, complete, explicit bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	c := n.known.Content(dir, func(id string) bool { return n.hidden[id] != nil })
	return c.Rows, c.Complete, c.Explicit
}
