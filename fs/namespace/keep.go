package namespace

import (
	"context"
	"errors"
	"time"

	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/fs/lockorder"
	"github.com/s3mount/s3mount/s3"
)

// keeper is the part of a Namespace that writes the markers of directories which would
// vanish with their last child.
type keeper struct {
	*bucket
	view    *view
	objects *objects

	mu      lockorder.Mutex[lockorder.Keeper]
	keeping map[string]*keeping // markers on their way, by directory
}

// keeping is a marker on its way for a directory that lost its last child. A
// rmdir that comes in this moment must delete it, too.
type keeping struct {
	done chan struct{}
	made bool // set before done is closed
}

// underWay returns the marker that is on its way for a directory, or nil.
func (k *keeper) underWay(dir string) *keeping {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.keeping[dir]
}

// keepDirs writes the markers of the directories that a batch would make
// vanish, and returns those where that failed.
func (k *keeper) keepDirs(ctx context.Context, batch []*deletion) map[string]error {
	dirs := map[string]bool{}
	for _, d := range batch {
		dirs[k.view.keeperOf(d)] = true
	}
	failed := map[string]error{}
	for dir := range dirs {
		if err := k.keepDir(ctx, dir); err != nil {
			failed[dir] = err
		}
	}
	return failed
}

// keepDir writes the marker of a directory if it has none and seems to be empty, or if it may not
// be listed.
func (k *keeper) keepDir(ctx context.Context, dir string) error {
	if dir == k.o.Prefix {
		return nil
	}
	rows, complete, explicit := k.view.visible(dir)
	if rows > 0 || explicit {
		return nil
	}
	if !complete {
		if _, err := k.objects.fetcher.Fetch(ctx, listing.Stretch{Dir: dir, Delimited: true}); err != nil && !errors.Is(err, s3.ErrForbidden) {
			return err
		}
		if rows, _, explicit = k.view.visible(dir); rows > 0 || explicit {
			return nil
		}
	}
	mark := k.begin(dir)
	if mark == nil {
		return nil
	}
	_, err := k.objects.putMarker(ctx, dir, k.defaults.Attr(entry.Directory, time.Now()), s3.ObjectOptions{}, true)
	if errors.Is(err, s3.ErrPreconditionFailed) {
		err = nil // another made it meanwhile
	}
	k.end(dir, mark, err == nil)
	return err
}

// begin returns a marker that the caller has to write. It returns nil if there is nothing
// to write: the directory was removed meanwhile, or another batch has written the marker.
func (k *keeper) begin(dir string) *keeping {
	k.mu.Lock()
	if other := k.keeping[dir]; other != nil {
		k.mu.Unlock()
		<-other.done
		return nil
	}
	defer k.mu.Unlock()
	if k.view.deletionOf(dir) != nil {
		return nil
	}
	mark := &keeping{done: make(chan struct{})}
	k.keeping[dir] = mark
	return mark
}

// end ends begin.
func (k *keeper) end(dir string, mark *keeping, made bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	mark.made = made
	delete(k.keeping, dir)
	close(mark.done)
}
