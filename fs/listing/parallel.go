package listing

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

const (
	// parallelAfter is how many pages in a row a Reader fetches one after the
	// other before the rest of the directory is listed in parallel: smaller
	// directories cost exactly one request per page.
	parallelAfter = 8
	// parallelMargin is how many pages ahead of the reader must be missing before
	// the directory is listed in parallel again.
	parallelMargin = 4
	// parallelRuns bounds the requests in flight: a third of the time needs four,
	// and more answers, some 300 KB each, wait for the network.
	parallelRuns = 8
	// parallelExtra bounds the requests of a parallel listing that may bring nothing
	// new: runs whose last page extends into the next run, because the place of the
	// thousandth name is not known, and runs that begin after the last name. If the
	// spacing of names is exact, only the latter occur (parallelExtraExact). A few of
	// them are enough to find the end, because each halves the stretch that contains
	// it.
	parallelExtra      = 8
	parallelExtraExact = 4
	// parallelExtraFull is the bound if the last name is known. With that many
	// additional runs, 100,000 names are listed in a third of the time.
	parallelExtraFull = 4
	// parallelPages bounds how far a directory is listed ahead of the reader:
	// 40 MB.
	parallelPages = 400
	// runPages is the shortest run that is parted where that may cost a request.
	runPages = 6
	// endGrowth is how much farther than the names are known to go the end is
	// looked for, in one step. A place that lies behind the end is the one
	// request that brings nothing; a short step leaves little between that place
	// and the last name that was found, which a single run lists. Where the
	// spacing is not exact each step costs a request, and there are few.
	endGrowth      = 1.5
	endGrowthExact = 0.3
	// endShare is the part of the known directory that may be left to the run that
	// finds the end, if the spacing is exact. endPages is the limit otherwise, and the
	// minimum. This run is listed together with the others.
	endShare = 0.35
	endPages = 16
	// endAfter is the number of pages above which the end is searched for. Smaller
	// directories cost exactly one request per page.
	endAfter = 10
)

// ahead requests the next rows for the reader: the next page from the second page on,
// and all pages of a large directory in parallel. Cache.mu is held.
func (l *Reader) ahead(p *page) {
	if p.token == "" || p.from == l.latest && len(l.borders) > 0 || p.when.Before(l.since) || l.stem != "" {
		return
	}
	l.latest = p.from
	if l.borders = append(l.borders, p.to); len(l.borders) > parallelAfter {
		l.borders = slices.Delete(l.borders, 0, 1)
	}
	c := l.f.c
	if l.parallel != nil {
		select {
		case <-l.parallel:
			l.stop()
			l.parallel = nil // what lies behind its runs may be listed in parallel again
		default:
			return
		}
	}
	missing := c.pages.freshAfter(l.base, p.to, l.since) == nil
	switch {
	case len(l.borders) == parallelAfter && c.freshPages(p, l.since, parallelMargin) == parallelMargin:
		// An earlier parallel listing has been here: go on when its end is near.
	case len(l.borders) == parallelAfter && l.startParallel(p):
	case len(l.borders) > 1 && missing:
		s := Stretch{Dir: l.base, Delimited: true, Token: p.token, From: l.base + p.to}
		since := l.since
		l.f.jobs.Go(func(ctx context.Context) {
			_, _ = l.f.fetchSince(ctx, s, since) // an error comes again when the reader comes there
		})
	}
}

// startParallel lists what follows a page in parallel, if its names can be
// measured. Cache.mu is held.
func (l *Reader) startParallel(p *page) bool {
	g, ok := newSpacing(l.borders)
	if !ok {
		return false
	}
	s := &parallel{f: l.f, dir: l.base, since: l.since, spacing: g, first: g.value(l.borders[0])}
	s.start(p.to)
	done := make(chan struct{})
	l.parallel = done
	ctx, stop := context.WithCancel(l.f.jobs.Context())
	l.stop = stop
	l.f.jobs.Go(func(context.Context) {
		defer close(done)
		s.run(ctx)
	})
	return true
}

// freshPages counts, up to limit, the pages behind p that need no request.
// Cache.mu is held.
func (c *Cache) freshPages(p *page, since time.Time, limit int) int {
	count := 0
	for count < limit && !p.end {
		if p = c.pages.freshAfter(p.dir, p.to, since); p == nil {
			return count
		}
		count++
	}
	if p.end {
		return limit
	}
	return count
}

// parallel lists what follows a place in a large directory into the cache, in
// several runs side by side. The Reader that caused it finds the pages there
// when it comes to them.
//
// A run goes on until it reaches the beginning of the next. Where the spacing is
// exact the next begins where a page ends, and parting costs no request. How
// far the names go on is found by runs that begin ever farther ahead: each
// first page is of use, except one that lies behind the last name.
type parallel struct {
	f       *Fetcher
	dir     string
	since   time.Time
	spacing *spacing
	first   float64 // number of the first border
	group   *errgroup.Group

	mu      sync.Mutex
	runs    []*run  // in the order of keys
	active  int     // those under way
	extra   int     // requests that may still bring nothing new
	left    int     // pages that may still be listed ahead
	end     float64 // no name has this number or a higher one, as far as is known
	ended   bool    // the last name was seen, or a place behind it
	even    bool    // the spacing is exact, and all pages so far bear it out
	probing bool    // a run that may begin behind the last name has not been answered
}

// run is a stretch that is listed page after page.
type run struct {
	start string // after this row
	at    string // listed up to here
	risky bool   // it may bring nothing new
	met   bool   // it holds names
	done  bool
}

func (s *parallel) start(after string) {
	s.extra, s.left, s.end = parallelExtra, parallelPages, s.spacing.top()
	switch s.even = s.spacing.exact; {
	case s.even:
		s.extra = parallelExtraExact
	case s.spacing.full:
		s.extra = parallelExtraFull
	}
	s.runs = []*run{{start: after, at: after, met: true}}
}

// run lists until all is listed, or as much as is good.
func (s *parallel) run(ctx context.Context) {
	s.group, ctx = errgroup.WithContext(ctx)
	s.mu.Lock()
	s.launch(ctx, s.runs[0])
	s.part(ctx)
	s.mu.Unlock()
	_ = s.group.Wait() // an error comes again when the Reader comes to that place
}

// launch lists a run beside the others. s.mu is held.
func (s *parallel) launch(ctx context.Context, r *run) {
	s.active++
	s.group.Go(func() error {
		for {
			from, ok := s.next(ctx, r)
			if !ok {
				return nil
			}
			got, err := s.f.fetchSince(ctx, Stretch{Dir: s.dir, Delimited: true, From: s.dir + from}, s.since)
			if err != nil {
				return err
			}
			s.learn(ctx, r, &got)
		}
	})
}

// next returns the row after which a run goes on, or false at its end.
func (s *parallel) next(ctx context.Context, r *run) (string, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.Index(s.runs, r)
	r.done = r.done || i < 0 || i+1 < len(s.runs) && r.at >= s.runs[i+1].start
	if !r.done && s.left > 0 {
		s.left--
		return r.at, true
	}
	r.done = true
	s.active--
	s.part(ctx)
	return "", false
}

// learn takes in the answer to a LIST of a run.
func (s *parallel) learn(ctx context.Context, r *run, got *listing) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !r.met && r == s.runs[len(s.runs)-1] {
		s.probing = false
	}
	if s.even && got.more && got.rows > 0 && s.spacing.value(got.to)-s.spacing.value(r.at) != s.spacing.step {
		s.even = false // as when a counter without zeros gets one digit more
	}
	if !r.met && r.risky && got.rows > 0 && s.spacing.exact {
		s.extra++
	}
	switch {
	case got.rows == 0 && !r.met: // it begins behind the last name
		s.end, s.ended = min(s.end, s.spacing.value(r.start)), true
		s.runs = slices.DeleteFunc(s.runs, func(q *run) bool { return q == r })
	case got.rows == 0 || !got.more:
		s.ended, r.done = true, true
		s.end = min(s.end, s.spacing.value(max(r.at, got.to)))
	default:
		r.at = got.to
	}
	r.met = r.met || got.rows > 0
	s.part(ctx)
}

// part begins more runs as long as there is room and something to be parted:
// the longest first. s.mu is held.
func (s *parallel) part(ctx context.Context) {
	for s.active < parallelRuns {
		at, best := 0, plan{}
		for i := range s.runs {
			if p := s.plan(i); p.size > best.size {
				at, best = i, p
			}
		}
		if len(best.starts) == 0 {
			return
		}
		for k, start := range best.starts {
			r := &run{start: start, at: start, risky: best.risky}
			if r.risky {
				s.extra--
			}
			s.probing = s.probing || best.probe
			s.runs = slices.Insert(s.runs, at+1+k, r)
			s.launch(ctx, r)
		}
	}
}

// plan is how a run may be parted.
type plan struct {
	size   float64 // pages that are left of the run, about
	starts []string
	risky  bool // each start may cost a request that brings nothing new
	probe  bool // it may lie behind the last name
}

// plan says how to part a run, if that is good now. s.mu is held.
func (s *parallel) plan(i int) plan {
	r, g := s.runs[i], s.spacing
	if r.done || !r.met {
		return plan{}
	}
	lo, hi, last := g.value(r.at), s.end, i+1 == len(s.runs)
	if !last {
		hi = g.value(s.runs[i+1].start)
	}
	p := plan{size: (hi - lo) / g.step, risky: true}
	parts := parallelRuns - s.active + 1
	switch {
	case !last && !g.full && (!s.runs[i+1].met || !g.exact && !s.ended):
		return plan{} // there may be nothing up to there, or more is to be gained elsewhere
	case !last && g.exact:
		p.risky = false
		if parts = min(parts, int(p.size)/2); !s.even {
			parts = min(parts, int(p.size)/runPages)
		}
	case g.full && (!last || !s.ended):
		parts = min(parts, s.extra+1, 2*int(p.size)/runPages)
	case !last:
		parts = min(parts, s.extra+1, int(math.Ceil(p.size/endPages)))
	case s.probing || s.extra == 0:
		return plan{}
	default:
		p.probe = true
		known := (lo-s.first)/g.step + 1
		growth, rest := float64(endGrowth), float64(endPages)
		if s.even {
			growth, rest = endGrowthExact, max(endPages, endShare*known)
		}
		if !s.ended {
			p.size = min(p.size, 2*growth*known)
		}
		if parts = 2; known < endAfter || s.ended && p.size < rest {
			return plan{}
		}
	}
	if last {
		p.size = min(p.size, float64(s.left))
	}
	for k := 1; k < parts; k++ {
		ahead := p.size * float64(k) / float64(parts)
		if g.exact {
			ahead = math.Ceil(ahead)
		}
		if start := g.name(lo + ahead*g.step); start > r.at && (last || start < s.runs[i+1].start) {
			p.starts = append(p.starts, start)
		}
	}
	if len(p.starts) == 0 {
		return plan{}
	}
	return p
}
