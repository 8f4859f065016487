package namespace

import (
	"maps"
	"time"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/s3"
)

const (
	// rememberTime is how long a change of attributes may use the remembered options.
	// It covers the delay of attribute changes and the requests in between. A longer
	// time could discard metadata that another tool has written in the meantime,
	// because this leaves the ETag unchanged and satisfies the condition of the copy.
	rememberTime = 2 * time.Second
	// rememberMemory bounds the memory of the remembered options, about 2000 objects.
	rememberMemory = 1 << 20
	// rememberCost is the memory of remembered without its strings.
	rememberCost = 400
)

// remembered contains the properties of an object, which a copy onto itself with other
// attributes must carry.
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

// recall returns the remembered options of the version of an entry.
func (r *recentOptions) recall(e entry.Entry) (remembered, bool) {
	k, ok := r.byKey.Get(e.Key)
	if !ok || k.Value.etag != e.ETag || e.ETag == "" || !time.Now().Before(k.Until) {
		return remembered{}, false
	}
	x := k.Value
	x.o.Metadata = maps.Clone(x.o.Metadata)
	return x, true
}
