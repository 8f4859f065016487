package namespace

// Stats are counters and gauges of a Namespace.
type Stats struct {
	Hits, Misses int64 // counters: lookups that the caches answered, and that S3 had to
	Entries      int   // single keys of which something is known
	Pages        int   // pages of listings
	Bytes        int64 // that both take
}

// Stats returns them.
func (n *Namespace) Stats() Stats {
	entries, pages, bytes := n.view.known.Stats()
	return Stats{
		Hits: n.finder.hits.Load(), Misses: n.finder.misses.Load(),
		Entries: entries, Pages: pages, Bytes: bytes,
	}
}
