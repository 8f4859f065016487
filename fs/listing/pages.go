package listing

import (
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/s3mount/s3mount/cache"
)

// pageSet holds pages of directories, as many as the memory allows. The pages of a
// directory do not overlap. The lock of the Cache guards it.
type pageSet struct {
	lru  *cache.Metadata[*page]
	dirs map[string][]*page // sorted by from
}

func newPageSet(limit int64, charge func(delta int64)) *pageSet {
	s := &pageSet{dirs: map[string][]*page{}}
	s.lru = cache.NewMetadata(limit, func(_ string, p *page) int64 { return p.cost() })
	s.lru.OnCharge(charge)
	s.lru.OnEvict(func(_ string, p *page) { s.unlink(p) })
	return s
}

// id names a page.
func (p *page) id() string { return p.dir + "\x00" + p.from }

// purge forgets everything.
func (s *pageSet) purge() {
	s.lru.Purge()
	s.dirs = map[string][]*page{}
}

// touch makes a page the most recently used one.
func (s *pageSet) touch(p *page) { s.lru.Get(p.id()) }

// change runs f, which may change how much memory a page takes.
func (s *pageSet) change(p *page, f func()) {
	s.lru.Delete(p.id())
	f()
	s.lru.Put(p.id(), p, p.until)
}

// unlink takes a page out of its directory.
func (s *pageSet) unlink(p *page) {
	pages := s.dirs[p.dir]
	if i := slices.Index(pages, p); i >= 0 {
		pages = slices.Delete(pages, i, i+1)
		s.dirs[p.dir] = pages
	}
	if len(pages) == 0 {
		delete(s.dirs, p.dir)
	}
}

// drop forgets a page.
func (s *pageSet) drop(p *page) {
	s.unlink(p)
	s.lru.Delete(p.id())
}

// dropDir forgets all pages of a directory.
func (s *pageSet) dropDir(prefix string) {
	for _, p := range slices.Clone(s.dirs[prefix]) {
		s.drop(p)
	}
}

// dropTree forgets all pages of a directory and of those below it.
func (s *pageSet) dropTree(prefix string) {
	for dir := range s.dirs {
		if strings.HasPrefix(dir, prefix) {
			s.dropDir(dir)
		}
	}
}

// add takes in what a listing has shown of a stretch of a directory. It is believed for
// the time that ttl returns.
func (s *pageSet) add(p *page, ttl func(*page) time.Duration) {
	for _, q := range slices.Clone(s.dirs[p.dir]) {
		if !overlap(p, q) {
			continue
		}
		p.carry(q)
		if within(p, q) && time.Now().Before(q.until) {
			// A part of what is still believed: all of it stays together.
			s.change(q, func() { q.overlay(p) })
			return
		}
		s.cut(q, p)
	}
	p.seal()
	p.until = p.when.Add(ttl(p))
	s.insert(p)
}

func overlap(p, q *page) bool {
	return (p.end || q.from < p.to) && (q.end || p.from < q.to)
}

// within reports whether q covers more than p and all of it.
func within(p, q *page) bool {
	wider := p.from != q.from || p.end != q.end || p.to != q.to
	return wider && q.from <= p.from && (q.end || !p.end && p.to <= q.to)
}

// insert hangs a page into its directory.
func (s *pageSet) insert(p *page) {
	pages := s.dirs[p.dir]
	i := sort.Search(len(pages), func(i int) bool { return pages[i].from > p.from })
	s.dirs[p.dir] = slices.Insert(pages, i, p)
	s.lru.Put(p.id(), p, p.until)
}

// cut removes the stretch of p from q, an older page that overlaps it. If q extends
// beyond p on both sides, the part after p is dropped.
func (s *pageSet) cut(q, p *page) {
	s.drop(q)
	switch {
	case q.from < p.from:
		i, _ := q.search(p.from + "\x00")
		q.rows, q.to, q.end, q.token, q.next = q.rows[:i], p.from, false, "", ""
	case !p.end && (q.end || q.to > p.to):
		i, _ := q.search(p.to + "\x00")
		q.rows, q.from = q.rows[i:], p.to
	default:
		return
	}
	s.insert(q)
}

// at returns the page that covers rel, fresh or not.
func (s *pageSet) at(dir, rel string) *page {
	pages := s.dirs[dir]
	i := sort.Search(len(pages), func(i int) bool { return pages[i].from > rel }) - 1
	// A page begins after its from, so rel itself may belong to the one before.
	for ; i >= 0; i-- {
		if pages[i].covers(rel) {
			return pages[i]
		}
		if pages[i].from < rel {
			break
		}
	}
	return nil
}

// freshAfter returns the page that holds the rows after rel and is believed,
// or was listed after since.
func (s *pageSet) freshAfter(dir, rel string, since time.Time) *page {
	pages := s.dirs[dir]
	i := sort.Search(len(pages), func(i int) bool { return pages[i].from > rel }) - 1
	if i < 0 {
		return nil
	}
	p := pages[i]
	if (p.end || rel < p.to) && (time.Now().Before(p.until) || !p.when.Before(since)) {
		s.touch(p)
		return p
	}
	return nil
}
