package listing

import "github.com/s3mount/s3mount/fs/entry"

// Answer is the answer to a request that is under way. A request that begins before a
// change of this mount and ends after it may show either state. The changes that come
// meanwhile are therefore applied to its answer.
type Answer struct {
	c       *Cache
	prefix  string
	changes []entry.Change // protected by c.mu
}

// Begin announces a request for keys that begin with prefix. The caller ends it with
// Learn or Drop.
func (c *Cache) Begin(prefix string) *Answer {
	a := &Answer{c: c, prefix: prefix}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.open[a] = struct{}{}
	return a
}

// Drop ends a request that has shown nothing.
func (a *Answer) Drop() {
	a.c.mu.Lock()
	defer a.c.mu.Unlock()
	delete(a.c.open, a)
}

// Learn takes in the answer to a request for one key. current is false if the key has
// changed meanwhile. With own, the cache decides whether this mount wrote the version.
func (a *Answer) Learn(ch entry.Change) (known entry.Change, current bool) {
	c := a.c
	c.mu.Lock()
	defer c.mu.Unlock()
	ch.Own = ch.Seen && c.isOwn(ch.Entry)
	a.end(func() { c.apply(ch) })
	return ch, len(a.changes) == 0
}

// end takes in the answer and then the changes that came meanwhile. c.mu is held.
func (a *Answer) end(take func()) {
	delete(a.c.open, a)
	take()
	for _, m := range a.changes {
		a.c.apply(m)
	}
}
