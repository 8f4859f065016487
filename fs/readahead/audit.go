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
	"github.com/s3mount/s3mount/s3/fair"
)

// ErrCorrupt means that the bytes that came from S3 do not have the checksum that S3
// stores for the object.
var ErrCorrupt = errors.New("the object does not have the checksum that S3 reports")

// An audit compares the bytes of a version with the checksum of the whole object. It
// combines the checksums of the blocks that the GETs bring, in any order. The
// fetch that completes the object gets the verdict before it releases its last bytes.
// All readers of a version share one audit, which ends with the last reader.
type audit struct {
	readers int // guarded by Manager.mu

	bad atomic.Pointer[error] // set once: the error of all later reads

	mu      sync.Mutex // below Manager.mu
	want    s3.Checksum
	asked   bool          // a HEAD was sent for want
	asking  chan struct{} // closed when the HEAD is answered; nil before the HEAD is sent
	gets    int           // the number of GETs that S3 answered with bytes
	covered int64         // the number of bytes in runs
	runs    []*run        // in order, with gaps
	passed  bool          // the object has the checksum
	gaveUp  bool          // there were too many runs
	again   bool          // the object was fetched again after a wrong checksum
}

// run is a sequence of consecutive bytes with their possible checksums.
type run struct {
	off  int64
	sums []*s3.Digest
}

func (r *run) end() int64 { return r.off + r.sums[0].Len() }

// checksumHistory records the checksums in the answers of S3. It chooses the checksums
// to compute before the checksum of the object is known. One checksum costs 0.04 s of
// CPU per GiB, and three cost 0.1 s.
type checksumHistory struct {
	mu     sync.Mutex
	last   s3.ChecksumAlgorithm // empty if no checksum was seen
	silent int                  // the number of large objects without a checksum since the last one with a checksum
}

// silence is the number of consecutive large objects without a checksum after which
// checksums are neither computed nor requested, until an answer has one again.
const silence = 3

// observe records the checksum of an object in an answer.
func (h *checksumHistory) observe(sum s3.Checksum) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !sum.Whole() {
		h.silent++
		return
	}
	h.last, h.silent = sum.Algorithm, 0
}

// likely returns the algorithms that the checksum of an object may have.
func (h *checksumHistory) likely() []s3.ChecksumAlgorithm {
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

// expect records the checksum that S3 reports for the object.
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

// begin returns a run for the bytes of a block from off on. The run computes the checksum
// that is expected, or the likely ones if it is not known. begin returns nil if there is
// nothing to check.
func (a *audit) begin(off int64, likely []s3.ChecksumAlgorithm) *run {
	a.mu.Lock()
	defer a.mu.Unlock()
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

// count records a GET that brings bytes.
func (a *audit) count() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.gets++
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

// maxRuns bounds the memory of an audit to 300 KiB. A sequential reader has at most as
// many runs as GETs in flight. Only random reads of a large object have more.
const maxRuns = 1024

// add adds the run of a block and reports whether all bytes of an object of that size have
// arrived. A block that arrives twice counts once.
func (a *audit) add(r *run, size int64) (complete bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if r == nil || a.passed || a.gaveUp || r.sums[0].Len() == 0 {
		return false
	}
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

// verdict compares the complete object with its checksum. checked is false if there is no
// checksum.
func (a *audit) verdict() (checked bool, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, sum := range a.runs[0].sums {
		if sum.Algorithm() != a.want.Algorithm {
			continue
		}
		if sum.Value() != a.want.Value {
			return true, fmt.Errorf("%w: %s is %s, S3 reports %s", ErrCorrupt, sum.Algorithm(), sum.Value(), a.want.Value)
		}
		a.passed, a.runs = true, nil
		return true, nil
	}
	return false, nil
}

// retry forgets all runs for a second attempt. It returns true only once.
func (a *audit) retry() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.again {
		return false
	}
	a.again, a.runs, a.covered = true, nil, 0
	return true
}

// isAgain reports whether the object is fetched again because it had a wrong checksum.
func (a *audit) isAgain() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.again && !a.passed
}

// restart forgets all runs, because bytes in them never reach a reader.
func (a *audit) restart() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.runs, a.covered = nil, 0
}

// mustAsk reports whether a HEAD must ask for the checksum of a large object now: half of the
// object has arrived, so that the HEAD is answered while the rest comes. It returns true only
// once. A HEAD for a small object is not worth its cost: an open that knows the size requests
// the whole object, and S3 answers with the checksum.
func (a *audit) mustAsk(size int64) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if size <= cache.SmallObject || a.want.Value != "" || a.asked || a.gaveUp || 2*a.covered < size {
		return false
	}
	a.asked = true
	return true
}

// hasAsked reports whether mustAsk has returned true.
func (a *audit) hasAsked() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.asked
}

// beginAsk records that the HEAD is sent. The caller closes answered when the HEAD is answered.
// ok is false if another caller has begun.
func (a *audit) beginAsk() (answered chan struct{}, ok bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.asking != nil {
		return nil, false
	}
	a.asking = make(chan struct{})
	return a.asking, true
}

// wait waits for the answer of the HEAD that another caller sends.
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

// err returns the error of all reads of a corrupt version, or nil.
func (a *audit) err() error {
	if err := a.bad.Load(); err != nil {
		return *err
	}
	return nil
}

// auditOf returns the audit of a version and adds a reader to it. m.mu is held.
func (m *Manager) auditOf(obj *cache.Object) *audit {
	a := m.audits[obj]
	if a == nil {
		a = &audit{}
		m.audits[obj] = a
	}
	a.readers++
	return a
}

// leaveAudit removes a reader from the audit. m.mu is held.
func (m *Manager) leaveAudit(obj *cache.Object, a *audit) {
	if a.readers--; a.readers > 0 {
		return
	}
	delete(m.audits, obj)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.gets > 0 && !a.passed && a.bad.Load() == nil {
		m.stats.Unverified++
	}
}

// audited adds the run of a block of f. It returns an error if the object is complete and has
// the wrong checksum.
func (f *fetch) audited(ctx context.Context, r *run) error {
	m, a, v := f.r.m, f.r.audit, f.r.Version()
	if !a.add(r, v.Size) {
		if a.mustAsk(v.Size) {
			m.enqueue(fair.UserOf(ctx), func() { m.askChecksum(v, a) })
		}
		return nil
	}
	if a.mustAsk(v.Size) || a.hasAsked() {
		m.askChecksum(v, a) // the HEAD in the queue may wait for the connection of this fetch
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

// askChecksum asks for the checksum of a version with a HEAD, unless another caller does.
func (m *Manager) askChecksum(v Version, a *audit) {
	answered, ok := a.beginAsk()
	if !ok {
		return
	}
	defer close(answered)
	ctx, cancel := context.WithTimeout(m.ctx, m.o.Deadline)
	defer cancel()
	m.mu.Lock()
	m.stats.Heads++
	m.mu.Unlock()
	info, err := m.store.Head(ctx, &s3.HeadInput{Bucket: m.o.Bucket, Key: v.Key})
	if err == nil {
		m.checksums.observe(info.Checksum)
	}
	if err == nil && info.Size == v.Size && strong(v.ETag) && sameETag(info.ETag, v.ETag) {
		a.expect(info.Checksum)
	}
}

// handleCorrupt handles a wrong checksum. If no reader has got any of the bytes, they are
// fetched once more, and handleCorrupt returns nil. Otherwise it drops the blocks of the
// version, and all its readers get the error.
func (f *fetch) handleCorrupt(err error) error {
	m, v := f.r.m, f.r.Version()
	retry := f.fill.Held() && f.r.audit.retry()
	m.mu.Lock()
	m.stats.Corrupt++
	m.mu.Unlock()
	m.o.Logger.Error("an object does not have the checksum that S3 reports", slog.String("key", v.Key),
		slog.String("etag", v.ETag), slog.Bool("fetched_again", retry), slog.Any("error", err))
	if retry {
		return nil
	}
	f.r.audit.bad.Store(&err)
	m.blocks.Drop(v.Key, v.ETag)
	return err
}
