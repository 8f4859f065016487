package namespace

import (
	"context"
	"strings"

	"golang.org/x/sync/errgroup"
)

const (
	// spreadAfter is how many pages in a row a Lister fetches one after the
	// other before the rest of the directory is listed in parallel: smaller
	// directories cost exactly one request per page.
	spreadAfter = 8
	// spreadMargin is how many pages ahead of the reader must be missing before
	// the directory is spread again.
	spreadMargin = 4
	// partAfter is how many pages of a part show that it is itself worth to be
	// parted: more than the ten that one digit makes of a part.
	partAfter = 12
	// spreadPositions is how many characters before those that vary within a
	// page are tried as the place where the names part.
	spreadPositions = 4
	// partRows is how many rows a part should have at least: each costs up to
	// one request more than its rows need.
	partRows = 2500
	// spreadWorkers bounds the requests in flight: more than this and the
	// answers, some 300 KB each, wait for the network.
	spreadWorkers = 12
	// spreadPages bounds how far a directory is listed ahead of the reader:
	// 40 MB.
	spreadPages = 400
)

// alphabets are the characters that names usually part by, in order of keys.
// Hex digits are on their own.
func alphabets() []string {
	return []string{"0123456789", "ABCDEF", "GHIJKLMNOPQRSTUVWXYZ", "abcdef", "ghijklmnopqrstuvwxyz"}
}

// spreader lists what follows a place in a large directory in parallel, into
// the cache: it finds where the names part, and lists each part on its own.
// The Lister that caused it finds the pages there when it comes to them.
type spreader struct {
	n     *Namespace
	dir   string
	slots chan struct{} // requests in flight
	group *errgroup.Group
	left  chan struct{} // one token for each page that may be listed ahead
}

// spread runs a spreader until all is listed, or as much as is good. p is the
// page before the place where it begins.
func (n *Namespace) spread(ctx context.Context, p *page) {
	s := &spreader{n: n, dir: p.dir, slots: make(chan struct{}, spreadWorkers), left: make(chan struct{}, spreadPages)}
	s.group, ctx = errgroup.WithContext(ctx)
	for range spreadPages {
		s.left <- struct{}{}
	}
	s.group.Go(func() error {
		s.part(ctx, p, "")
		return nil
	})
	_ = s.group.Wait() // an error comes again when the Lister comes to that place
}

// part lists the parts that names after page p and before end fall into, each
// on its own, and returns where the first of them begins.
func (s *spreader) part(ctx context.Context, p *page, end string) string {
	cuts := s.cuts(ctx, p)
	for i, from := range cuts {
		if end != "" && from >= end {
			cuts = cuts[:i]
			break
		}
	}
	for i, from := range cuts {
		to := end
		if i+1 < len(cuts) {
			to = cuts[i+1]
		}
		s.group.Go(func() error { return s.list(ctx, from, to) })
	}
	if len(cuts) == 0 {
		return end
	}
	return cuts[0]
}

// list lists the names after from up to end.
func (s *spreader) list(ctx context.Context, from, end string) error {
	for pages := 1; ; pages++ {
		select {
		case <-s.left:
		default:
			return nil
		}
		var got listing
		err := s.request(ctx, func() (err error) {
			got, err = s.n.fetch(ctx, stretch{dir: s.dir, delimited: true, from: s.dir + from})
			return err
		})
		if err != nil || got.token == "" || len(got.pages) == 0 {
			return err
		}
		if from = got.to; end != "" && from >= end {
			return nil
		}
		if pages == partAfter {
			s.n.mu.Lock()
			p := got.pages[0].snapshot()
			s.n.mu.Unlock()
			end = s.part(ctx, p, end)
		}
	}
}

// request waits for its turn.
func (s *spreader) request(ctx context.Context, f func() error) error {
	select {
	case s.slots <- struct{}{}:
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	defer func() { <-s.slots }()
	return f()
}

// cuts returns the places after page p where parts begin, in order.
func (s *spreader) cuts(ctx context.Context, p *page) []string {
	stem := s.stem(p)
	low := max(0, len(stem)-spreadPositions)
	found := make([][]string, len(stem)-low)
	g, ctx := errgroup.WithContext(ctx)
	for i := range found {
		g.Go(func() (err error) {
			found[i], err = s.cutsAt(ctx, stem, low+i)
			return err
		})
	}
	if g.Wait() != nil {
		return nil
	}
	var out []string
	for i := len(found) - 1; i >= 0; i-- {
		out = append(out, found[i]...)
	}
	return out
}

// stem returns the beginning of the last name of a page at whose characters
// later names are likely to part into several pages each.
func (s *spreader) stem(p *page) string {
	if len(p.rows) < 2 {
		return ""
	}
	first, last := p.rel(&p.rows[0]), p.rel(&p.rows[len(p.rows)-1])
	k := commonPrefix(first, last)
	branches := map[byte]bool{}
	letters := 10 // that may stand in one position: digits, or hex digits at least
	for i := range p.rows {
		if rel := p.relBytes(&p.rows[i]); len(rel) > k {
			branches[rel[k]] = true
			if rel[k] > '9' {
				letters = 16
			}
		}
	}
	size := len(p.rows) / max(1, len(branches)) * letters
	switch {
	case len(branches) == 2 && len(last) > k && last[k] < 0x80:
		k++ // a page covers two of them at most: each is a page or more
	case size < partRows && k > 0:
		k--
	}
	return strings.TrimSuffix(last[:k], "/")
}

// cutsAt returns the beginnings of the parts that differ from the stem first
// at one position, if there are any such names.
func (s *spreader) cutsAt(ctx context.Context, stem string, at int) ([]string, error) {
	next, err := s.next(ctx, stem[:at+1]+highest, stem[:at])
	if err != nil || next == "" {
		return nil, err
	}
	var out []string
	for _, a := range alphabets() {
		lo, hi := a[0], a[len(a)-1]
		if next[at] > hi {
			continue
		}
		for c := max(lo, next[at]); c <= hi; c++ {
			out = append(out, before(stem[:at]+string(rune(c))))
		}
		if next, err = s.next(ctx, stem[:at]+string(rune(hi))+highest, stem[:at]); err != nil || next == "" {
			return out, err
		}
	}
	return out, nil
}

// next returns the first name after a place if it begins with prefix and goes on.
func (s *spreader) next(ctx context.Context, after, prefix string) (string, error) {
	var name string
	err := s.request(ctx, func() error {
		got, err := s.n.ls(ctx, stretch{dir: s.dir, delimited: true, from: s.dir + after, max: 1})
		if err != nil {
			return err
		}
		switch {
		case len(got.Objects) > 0:
			name = got.Objects[0].Key[len(s.dir):]
		case len(got.CommonPrefixes) > 0:
			name = got.CommonPrefixes[0][len(s.dir):]
		}
		return nil
	})
	if err != nil || len(name) <= len(prefix) || !strings.HasPrefix(name, prefix) {
		return "", err
	}
	return name, nil
}

// commonPrefix returns the length of what two names begin with, as far as it
// is ASCII: names that part elsewhere are not spread.
func commonPrefix(a, b string) int {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] && a[i] < 0x80 {
		i++
	}
	return i
}
