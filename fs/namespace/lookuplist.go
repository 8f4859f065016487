package namespace

import (
	"context"

	"github.com/s3mount/s3mount/fs/listing"
)

// lookupByListing answers a lookup by a LIST if enough lookups in this
// directory, or on the way down to it, needed requests of their own. It
// reports whether the name is known now.
func (n *Namespace) lookupByListing(ctx context.Context, nm name) (bool, error) {
	if n.o.TTL < listing.MinTrust {
		return false, nil
	}
	if coming, ok := n.fetcher.Coming(nm.key()); ok {
		if known, err := n.lookupAfter(ctx, nm, coming); known || err != nil {
			return known, err
		}
	}
	top, list, whole := n.walks.Miss(nm.dir)
	if !list {
		return false, nil
	}
	if whole {
		complete, err := n.fetcher.Fetch(ctx, listing.Stretch{Dir: nm.dir})
		if err != nil {
			return false, err
		}
		if !complete {
			n.walks.SetLarge(nm.dir)
		}
		if _, k := n.lookupKnown(nm); k != listing.Unknown {
			return true, nil
		}
	}
	return n.lookupAfter(ctx, nm, listing.Stretch{Dir: top, From: listing.Before(nm.key())})
}

// lookupAfter performs a LIST and reports whether the name is known then.
func (n *Namespace) lookupAfter(ctx context.Context, nm name, s listing.Stretch) (bool, error) {
	if _, err := n.fetcher.Fetch(ctx, s); err != nil {
		return false, err
	}
	_, k := n.lookupKnown(nm)
	return k != listing.Unknown, nil
}
