package namespace

import "github.com/s3mount/s3mount/cache"

// shrink replaces the caches by tiny ones.
func (n *Namespace) shrink(limit int64) {
	n.facts = cache.NewMetadata(limit, factCost)
	n.pages = cache.NewMetadata(limit, pageCost)
	n.pages.OnEvict(func(_ string, p *page) { n.unlinkPage(p) })
}
