package namespace

import (
	"maps"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

const (
	// rememberTime is how long a change of attributes may rely on what is
	// remembered: the delays by which such changes are gathered, and the
	// requests in between. Longer would throw away what another tool put into
	// the metadata meanwhile, which leaves the ETag as it is and so passes the
	// condition on the copy.
	rememberTime = 2 * time.Second
	// rememberMemory bounds what is remembered: some 2000 objects.
	rememberMemory = 1 << 20
	// rememberCost is what one takes beside its strings.
	rememberCost = 400
)

// remembered is all that an object has beside its bytes: what a copy onto
// itself with other attributes must carry.
type remembered struct {
	etag string
	size int64
	o    s3.ObjectOptions
}

func rememberedCost(_ string, r remembered) int64 {
	n := rememberCost + len(r.etag)
	for k, v := range r.o.Metadata {
		n += len(k) + len(v)
	}
	return int64(n)
}

// recentOptions remembers for a moment what this mount wrote objects with, or has seen of
// them.
type recentOptions struct{ byKey *cache.Metadata[remembered] }

func newRecentOptions() *recentOptions {
	return &recentOptions{byKey: cache.NewMetadata(rememberMemory, rememberedCost)}
}

// drop forgets an object that has changed.
func (r *recentOptions) drop(key string) { r.byKey.Delete(key) }

// Remember takes in what this mount has just written an object with, so that a
// change of its attributes that follows needs no HEAD.
func (r *recentOptions) Remember(e entry.Entry, o s3.ObjectOptions) {
	if e.ETag == "" {
		return
	}
	o.Metadata = maps.Clone(o.Metadata)
	x := remembered{etag: e.ETag, size: e.Size, o: o}
	r.byKey.Put(e.Key, x, time.Now().Add(rememberTime))
}

// recall returns what is remembered of the version of an entry.
func (r *recentOptions) recall(e entry.Entry) (remembered, bool) {
	k, ok := r.byKey.Get(e.Key)
	if !ok || k.Value.etag != e.ETag || e.ETag == "" || !time.Now().Before(k.Until) {
		return remembered{}, false
	}
	x := k.Value
	x.o.Metadata = maps.Clone(x.o.Metadata)
	return x, true
}
