package namespace

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/s3mount/s3mount/s3"
)

// linksKnown finds out, once, whether the mount has hard links.
type linksKnown struct {
	once  sync.Once
	found bool
	err   error
}

func (k *linksKnown) any(ctx context.Context, n *Namespace) (bool, error) {
	k.once.Do(func() {
		if n.o.NoHardLinks {
			return
		}
		got, err := n.ls(ctx, stretch{dir: n.o.Prefix + linksDir, max: 1})
		if err != nil {
			k.err = fmt.Errorf("look for hard links: %w", err)
			return
		}
		k.found = len(got.Objects) > 0
	})
	return k.found, k.err
}

// linkOf finds out whether an object of which no index tells is one of several
// names of a file, where there are such files at all.
func (m *move) linkOf(ctx context.Context, e Entry) (Entry, error) {
	if any, err := m.links.any(ctx, m.n); !any || err != nil {
		return e, err
	}
	info, err := m.n.store.Head(ctx, &s3.HeadInput{Bucket: m.n.o.Bucket, Key: e.Key})
	if err != nil {
		return e, nil // the copy tells what became of it
	}
	e.Link = LinkFromMetadata(info.Metadata)
	return e, nil
}

// relink tells the groups of the hard links among pairs of their new keys.
func (m *move) relink(ctx context.Context, pairs []pair) error {
	groups := map[string]map[string]string{}
	for _, p := range pairs {
		l := p.old.Link
		if l == nil {
			l = p.new.Link
		}
		if l == nil || p.keep || m.n.o.NoHardLinks {
			continue
		}
		if groups[l.ID] == nil {
			groups[l.ID] = map[string]string{}
		}
		groups[l.ID][p.old.Key] = p.new.Key
	}
	return each(ctx, m.n.o.Connections, slices.Collect(maps.Keys(groups)), func(ctx context.Context, id string) error {
		return m.n.relink(ctx, id, groups[id])
	})
}

// exchangeLinks tells the groups of two names that change places. It comes before
// the copies: if this mount dies then, the names are files of their own.
func (n *Namespace) exchangeLinks(ctx context.Context, a, b Entry) error {
	for _, m := range [][2]Entry{{a, b}, {b, a}} {
		if m[0].Link == nil {
			continue
		}
		if err := n.relink(ctx, m[0].Link.ID, map[string]string{m[0].Key: m[1].Key}); err != nil {
			return err
		}
	}
	return nil
}
