package readahead

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/cache"
	"github.com/s3mount/s3mount/s3"
)

// ErrCorrupt says that the bytes that came from S3 do not have the checksum that S3
// keeps for the object.
var ErrCorrupt = errors.New("object has another checksum than S3 says")

// An audit holds the bytes that fetches bring of one version to the checksum of the
// whole object. It adds up the checksums of the runs of bytes that each GET brings, in
// any order. The fetch that completes the object learns the verdict before it hands over
// its last bytes. All readers of a version share one audit, which ends with the last.
type audit struct {
	readers int // guarded by Manager.mu

	bad atomic.Pointer[error] // set once: the error of all reads from then on

	mu      sync.Mutex // below Manager.mu
	want    s3.Checksum
	asked   bool          // by a HEAD for want
	asking  chan struct{} // of that HEAD once it is under way; closed when it has been answered
	fetched bool          // a GET was answered
	gets    int           // that brought bytes
	covered int64         // bytes of runs
	runs    []*run        // in order, with gaps between them
	passed  bool          // the object has the checksum
	gaveUp  bool          // there were too many runs
	again   bool          // the object was fetched once more after a wrong checksum
}

// run is a number of bytes in a row, with the checksums that may be asked for.
type run struct {
	off  int64
	sums []*s3.Digest
}

func (r *run) end() int64 { return r.off + r.sums[0].Len() }

// habit is what S3 has said about checksums so far. It chooses which checksums of an object
// are worth computing before the checksum of the object is known: one costs 0.04 s of CPU
// per GiB, and three cost 0.1 s.
type habit struct {
	mu     sync.Mutex
	last   s3.ChecksumAlgorithm // "": none was seen
	silent int                  // large objects without a checksum since
}

// silence is how many large objects in a row without a checksum say that the next has none
// either. It is neither computed nor asked for until an answer has one again.
const silence = 3

// note takes over what an answer said of the checksum of an object.
func (h *habit) note(sum s3.Checksum) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !sum.Whole() {
		h.silent++
		return
	}
	h.last, h.silent = sum.Algorithm, 0
}

// likely returns the algorithms that the checksum of an object may have.
func (h *habit) likely() []s3.ChecksumAlgorithm {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case h.silent >= silence:
		return nil
	case h.last == "":
		return []s3.ChecksumAlgorithm{s3.CRC32C, s3.CRC64NVME, s3.CRC32}
	}
	return []s3.ChecksumAlgorithm{h.last}
}

// expect takes over a checksum of S3 for the object.
func (a *audit) expect(sum s3.Checksum) {
	if !sum.Whole() {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.want = sum
}

// expects reports whether a checksum of the object is known.
func (a *audit) expects() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.want.Value != ""
}

// begin returns a run for the bytes of one GET from off on, with the likely checksums
// unless that of the object is known; nil if nothing is to be checked.
func (a *audit) begin(off int64, likely []s3.ChecksumAlgorithm) *run {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.fetched = true
	if a.passed || a.gaveUp {
		return nil
	}
	if a.want.Value != "" {
		likely = []s3.ChecksumAlgorithm{a.want.Algorithm}
	}
	if len(likely) == 0 {
		return nil
	}
	r := &run{off: off}
	for _, algorithm := range likely {
		r.sums = append(r.sums, s3.NewDigest(algorithm))
	}
	return r
}

// write adds bytes to the run.
func (r *run) write(p []byte) {
	if r == nil {
		return
	}
	for _, sum := range r.sums {
		sum.Write(p)
	}
}

// maxRuns bounds the memory of an audit to 300 KiB. A sequential reader has as many runs
// as GETs in flight at most; only one that reads here and there in a large object has more.
const maxRuns = 1024

// add takes in the run of a GET and reports whether all bytes of an object of that size
// have come. Bytes that came before count once.
func (a *audit) add(r *run, size int64) (complete bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r == nil || a.passed || a.gaveUp || r.sums[0].Len() == 0 {
		return false
	}
	a.gets++
	if len(a.runs) == maxRuns {
		a.gaveUp, a.runs = true, nil
		return false
	}
	i, _ := slices.BinarySearchFunc(a.runs, r.off, func(have *run, off int64) int { return int(min(max(have.off-off, -1), 1)) })
	if i > 0 && a.runs[i-1].end() > r.off || i < len(a.runs) && r.end() > a.runs[i].off {
		return false
	}
	a.covered += r.sums[0].Len()
	a.runs = slices.Insert(a.runs, i, r)
	if i+1 < len(a.runs) && a.runs[i].join(a.runs[i+1]) {
		a.runs = slices.Delete(a.runs, i+1, i+2)
	}
	if i > 0 && a.runs[i-1].join(a.runs[i]) {
		a.runs = slices.Delete(a.runs, i, i+1)
	}
	return a.covered == size && len(a.runs) == 1
}

// join appends next to r if it follows without a gap, and reports whether it did.
func (r *run) join(next *run) bool {
	if r.end() != next.off {
		return false
	}
	var sums []*s3.Digest
	for _, sum := range r.sums {
		for _, more := range next.sums {
			if sum.Algorithm() == more.Algorithm() {
				sum.Append(more)
				sums = append(sums, sum)
			}
		}
	}
	if len(sums) == 0 {
		return false
	}
	r.sums = sums
	return true
}

// verdict compares the complete object with the checksum. checked is false if there is
// none to compare with.
func (a *audit) verdict() (checked bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, sum := range a.runs[0].sums {
		if sum.Algorithm() != a.want.Algorithm {
			continue
		}
		if sum.Value() != a.want.Value {
			return true, fmt.Errorf("%w: %s is %s, S3 says %s", ErrCorrupt, sum.Algorithm(), sum.Value(), a.want.Value)
		}
		a.passed, a.runs = true, nil
		return true, nil
	}
	return false, nil
}

// retry forgets all runs for a second try, once.
func (a *audit) retry() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.again {
		return false
	}
	a.again, a.runs, a.covered = true, nil, 0
	return true
}

// minGets is how many GETs must have brought bytes of a version before a HEAD asks for
// its checksum, so that a checksum costs one request in five at most.
const minGets = 4

// mustAsk reports whether it is time to ask for the checksum: half of the object has come
// in enough GETs. It does so once.
func (a *audit) mustAsk(size int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.want.Value != "" || a.asked || a.gaveUp || a.gets < minGets || 2*a.covered < size {
		return false
	}
	a.asked = true
	return true
}

// asks notes that the HEAD is under way, and returns what its end closes.
func (a *audit) asks() chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.asking = make(chan struct{})
	return a.asking
}

// wait waits for the answer of the HEAD that asks for the checksum. It does not wait for
// one that has no connection yet: the caller may have the last.
func (a *audit) wait(ctx context.Context) {
	a.mu.Lock()
	asking := a.asking
	a.mu.Unlock()
	if asking == nil {
		return
	}
	select {
	case <-asking:
	case <-ctx.Done():
	}
}

// err returns the error of all reads of a version that was found to be wrong.
func (a *audit) err() error {
	if err := a.bad.Load(); err != nil {
		return *err
	}
	return nil
}

// auditOf returns the audit of a version for one more reader. m.mu is held.
func (m *Manager) auditOf(obj *cache.Object) *audit {
	a := m.audits[obj]
	if a == nil {
		a = &audit{}
		m.audits[obj] = a
	}
	a.readers++
	return a
}

// leaveAudit ends the part of a reader in the audit. m.mu is held.
func (m *Manager) leaveAudit(obj *cache.Object, a *audit) {
	if a.readers--; a.readers > 0 {
		return
	}
	delete(m.audits, obj)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fetched && !a.passed && a.bad.Load() == nil {
		m.stats.Unverified++
	}
}

// audited takes in the run of a GET of f. The error says that the object is complete and
// has the wrong checksum.
func (f *fetch) audited(ctx context.Context, r *run) error {
	m, a, v := f.r.m, f.r.audit, f.r.Version()
	if !a.add(r, v.Size) {
		if a.mustAsk(v.Size) {
			m.askChecksum(v, a)
		}
		return nil
	}
	a.wait(ctx)
	checked, err := a.verdict()
	if checked && err == nil {
		m.mu.Lock()
		m.stats.Verified++
		m.mu.Unlock()
	}
	return err
}

// askChecksum asks for the checksum of a version by a HEAD.
func (m *Manager) askChecksum(v Version, a *audit) {
	m.enqueue(func() {
		defer close(a.asks())
		ctx, cancel := context.WithTimeout(m.ctx, m.o.Deadline)
		defer cancel()
		m.mu.Lock()
		m.stats.Heads++
		m.mu.Unlock()
		info, err := m.store.Head(ctx, &s3.HeadInput{Bucket: m.o.Bucket, Key: v.Key, SSE: m.o.SSE})
		if err == nil {
			m.habit.note(info.Checksum)
		}
		if err == nil && info.Size == v.Size && strong(v.ETag) && sameETag(info.ETag, v.ETag) {
			a.expect(info.Checksum)
		}
	})
}

// condemn decides what follows from a wrong checksum. Where nobody has got any of the
// bytes, they are fetched once more, and condemn returns nil. Else the version is not
// read any more: its blocks are dropped, and all its readers get the error.
func (f *fetch) condemn(err error) error {
	m, v := f.r.m, f.r.Version()
	retry := f.fill.Held() && f.r.audit.retry()
	m.mu.Lock()
	m.stats.Corrupt++
	m.mu.Unlock()
	m.o.Logger.Error("the bytes of an object do not have its checksum", slog.String("key", v.Key),
		slog.String("etag", v.ETag), slog.Bool("fetched_again", retry), slog.Any("error", err))
	if retry {
		return nil
	}
	f.r.audit.bad.Store(&err)
	m.blocks.Drop(v.Key, v.ETag)
	return err
}
