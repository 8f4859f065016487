package namespace

import (
	"context"

	"github.com/s3mount/s3mount/fs/listing"
)

// lookupByListing answers a lookup by a LIST if enough lookups in this
// directory, or on the way down to it, needed requests of their own. It
// reports whether the name is known now.
func (f *finder) lookupByListing(ctx context.Context, nm name) (bool, error) {
	if f.o.TTL < listing.MinTrust {
		return false, nil
	}
	if coming, ok := f.fetcher.Coming(nm.key()); ok {
		if known, err := f.lookupAfter(ctx, nm, coming); known || err != nil {
			return known, err
		}
	}
	top, list, whole := f.walks.Miss(nm.dir)
	if !list {
		return false, nil
	}
	if whole {
		complete, err := f.fetcher.Fetch(ctx, listing.Stretch{Dir: nm.dir})
		if err != nil {
			return false, err
		}
		if !complete {
			f.walks.SetLarge(nm.dir)
		}
		if _, k := f.view.lookupKnown(nm); k != listing.Unknown {
			return true, nil
		}
	}
	return f.lookupAfter(ctx, nm, listing.Stretch{Dir: top, From: listing.Before(nm.key())})
}

// lookupAfter performs a LIST and reports whether the name is known then.
func (f *finder) lookupAfter(ctx context.Context, nm name, s listing.Stretch) (bool, error) {
	if _, err := f.fetcher.Fetch(ctx, s); err != nil {
		return false, err
	}
	_, k := f.view.lookupKnown(nm)
	return k != listing.Unknown, nil
}
