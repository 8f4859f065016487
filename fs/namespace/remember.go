package namespace

import (
	"maps"
	"time"

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

// Remember takes in what this mount has just written an object with, so that a
// change of its attributes that follows needs no HEAD.
func (n *Namespace) Remember(e Entry, o s3.ObjectOptions) {
	if e.ETag == "" {
		return
	}
	o.Metadata = maps.Clone(o.Metadata)
	r := remembered{etag: e.ETag, size: e.Size, o: o}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.recent.Put(e.Key, r, time.Now().Add(rememberTime))
}

// recall returns what is remembered of the version of an entry.
func (n *Namespace) recall(e Entry) (remembered, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, ok := n.recent.Get(e.Key)
	if !ok || k.Value.etag != e.ETag || e.ETag == "" || !time.Now().Before(k.Until) {
		return remembered{}, false
	}
	r := k.Value
	r.o.Metadata = maps.Clone(r.o.Metadata)
	return r, true
}
