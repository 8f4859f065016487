package control

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/fs/metering"
	"github.com/s3mount/s3mount/s3"
)

// Calls are the HTTP exchanges of one kind of S3 request. Errors are those
// that say that something went wrong: no answer, 5xx, throttling, refusals; not
// 404 and the outcomes of conditions, which are what was asked for.
type Calls struct {
	metering.Latency
	Retries  uint64 `json:"retries"`
	Sent     uint64 `json:"bytes_sent"`
	Received uint64 `json:"bytes_received"`
}

// Requests counts the exchanges with S3. Its Observe is an s3.Options.Observer.
// The zero value is ready; it is safe for concurrent use.
type Requests struct {
	kinds sync.Map // string to *calls
}

type calls struct {
	meter                   metering.Meter
	retries, sent, received atomic.Uint64
}

// Observe takes in one attempt.
func (r *Requests) Observe(a s3.Attempt) {
	v, ok := r.kinds.Load(a.Op)
	if !ok {
		v, _ = r.kinds.LoadOrStore(a.Op, &calls{})
	}
	c := v.(*calls)
	c.meter.Observe(a.Duration, isFailure(a))
	if a.Retry > 0 {
		c.retries.Add(1)
	}
	c.sent.Add(uint64(max(a.BytesSent, 0)))
	c.received.Add(uint64(max(a.BytesReceived, 0)))
}

// isFailure reports whether an exchange failed. Answers that the caller asked for,
// such as 404, are no failures.
func isFailure(a s3.Attempt) bool {
	switch a.Status {
	case http.StatusNotModified, http.StatusNotFound, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	return a.Err != nil
}

// Stats returns what was counted, by kind.
func (r *Requests) Stats() map[string]Calls {
	all := map[string]Calls{}
	r.kinds.Range(func(op, v any) bool {
		c := v.(*calls)
		all[op.(string)] = Calls{Latency: c.meter.Latency(), Retries: c.retries.Load(), Sent: c.sent.Load(), Received: c.received.Load()}
		return true
	})
	return all
}
