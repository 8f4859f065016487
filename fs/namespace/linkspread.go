package namespace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

// SpreadOutput tells what became of the names of a group.
type SpreadOutput struct {
	Links *Links
	Left  []string // keys that are no longer names of the file
}

// Spread brings all names of a group to the version e, which this mount has
// just written under one of them; old is the version before it. A name that
// someone else wrote since, or deleted, leaves the group and is not touched
// (P3). The error is ErrStale if e is not the present version any more.
func (n *Namespace) Spread(ctx context.Context, e, old Entry) (SpreadOutput, error) {
	g, err := n.readLinks(ctx, e.Link.ID)
	if err != nil {
		return SpreadOutput{}, fmt.Errorf("write the other names of %q: %w", e.Key, err)
	}
	s := &spreading{n: n, e: e, old: old}
	if !g.Has(e.Key) {
		return SpreadOutput{Links: g, Left: []string{e.Key}}, nil
	}
	s.e.Link = e.Link.With(len(g.Keys))
	others := without(slices.Clone(g.Keys), e.Key)
	if err := each(ctx, n.o.Connections, others, s.name); err != nil {
		return SpreadOutput{}, fmt.Errorf("write the other names of %q: %w", e.Key, err)
	}
	if len(s.left) > 0 {
		g, err = n.editLinks(ctx, g.ID, false, func(keys []string) ([]string, error) {
			for _, k := range s.left {
				keys = without(keys, k)
			}
			return keys, nil
		})
		if err != nil {
			return SpreadOutput{}, err
		}
	}
	return SpreadOutput{Links: g, Left: s.left}, nil
}

// spreading is a Spread under way.
type spreading struct {
	n      *Namespace
	e, old Entry

	mu   sync.Mutex
	left []string
}

// name brings one name to the version.
func (s *spreading) name(ctx context.Context, key string) error {
	const attempts = 3 // of a name that somebody writes at the same time
	for i := 0; ; i++ {
		info, err := s.n.store.Head(ctx, &s3.HeadInput{Bucket: s.n.o.Bucket, Key: key})
		if errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket) {
			s.leave(key, "deleted")
			return nil
		}
		if err != nil {
			return err
		}
		info.Key = key
		got := s.n.FromInfo(info)
		switch {
		case !sameGroup(got.Link, s.e.Link), got.Link.Gen <= s.old.Gen() && !s.mayReplace(got, info):
			s.leave(key, "written by another tool")
			return nil
		case got.Link.Gen >= s.e.Link.Gen:
			return nil // it is there, or what another mount wrote is
		}
		err = s.copy(ctx, key, info.ETag)
		if !errors.Is(err, ErrStale) || i == attempts {
			return err
		}
		if now, herr := s.n.store.Head(ctx, &s3.HeadInput{Bucket: s.n.o.Bucket, Key: s.e.Key}); herr != nil || now.ETag != s.e.ETag {
			return ErrStale
		}
	}
}

// Gen is the number of an entry's version in its group, 0 if it has none.
func (e Entry) Gen() uint64 {
	if e.Link == nil {
		return 0
	}
	return e.Link.Gen
}

// mayReplace reports whether a name still holds what this tool put there: of
// the version before, its bytes; of an older one, that it was not written after
// the version that it missed. Where an ETag tells nothing the size must do.
func (s *spreading) mayReplace(got Entry, info *s3.ObjectInfo) bool {
	if got.Link.Gen < s.old.Gen() {
		return !got.LastModified.After(s.e.LastModified.Add(ownSlack))
	}
	s.n.mu.Lock()
	own := s.n.isOwn(got)
	s.n.mu.Unlock()
	const keyed = "aws:kms" // and aws:kms:dsse: such ETags differ with the key
	opaque := len(info.SSE) >= len(keyed) && info.SSE[:len(keyed)] == keyed
	return own || got.Size == s.old.Size && (opaque || sameSum(got.ETag, s.old.ETag))
}

// copy puts the version under another name, in place of one that was looked at.
func (s *spreading) copy(ctx context.Context, key, etag string) error {
	in := &s3.CopyInput{
		SrcBucket: s.n.o.Bucket, SrcKey: s.e.Key, SrcIf: s3.Conditions{IfMatch: s.e.ETag}, SrcSize: s.e.Size,
		Bucket: s.n.o.Bucket, Key: key, IfMatch: etag,
	}
	out, err := s.n.store.Copy(ctx, in)
	if errors.Is(err, s3.ErrNotImplemented) {
		in.IfMatch = ""
		out, err = s.n.store.Copy(ctx, in)
	}
	if errors.Is(err, s3.ErrPreconditionFailed) {
		return ErrStale
	}
	if err != nil {
		return err
	}
	s.n.Committed(s.n.copied(s.e, key, out))
	return nil
}

func (s *spreading) leave(key, why string) {
	s.n.o.Logger.Info("a name is no longer linked", "key", key, "why", why)
	s.n.Invalidate(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.left = append(s.left, key)
}

// mend brings the names of a group to its last version and the record to the
// names that exist, after a mount died while it changed them.
func (n *Namespace) mend(ctx context.Context, id string) error {
	g, err := n.readLinks(ctx, id)
	if err != nil {
		return err
	}
	var mu sync.Mutex
	var last Entry
	var there []string
	err = each(ctx, n.o.Connections, g.Keys, func(ctx context.Context, key string) error {
		e, err := n.head(ctx, key, false)
		if errors.Is(err, s3.ErrNotFound) && !errors.Is(err, s3.ErrNoSuchBucket) {
			return nil
		}
		if err != nil {
			return err
		}
		if e.Link == nil || e.Link.ID != id {
			return nil
		}
		mu.Lock()
		defer mu.Unlock()
		there = append(there, key)
		if e.Link.Gen > last.Gen() {
			last = e
		}
		return nil
	})
	if err != nil {
		return err
	}
	_, err = n.editLinks(ctx, id, false, func(keys []string) ([]string, error) {
		return slices.DeleteFunc(keys, func(k string) bool { return !slices.Contains(there, k) }), nil
	})
	if err != nil || len(there) < 2 {
		return err
	}
	// Nothing is known of the version before: names that are older go by their time.
	_, err = n.Spread(ctx, last, last)
	return err
}

// recoverTime bounds the mending of one group.
const recoverTime = 10 * time.Minute
