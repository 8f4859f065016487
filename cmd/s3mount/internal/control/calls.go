package control

import (
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/s3mount/s3mount/fs/metering"
	"github.com/s3mount/s3mount/s3"
)

// Calls counts the HTTP exchanges of one kind of S3 request. Missing answers, 5xx,
// throttling and refusals count as errors. 404 and the results of conditions do not.
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

// Observe counts one attempt.
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

// isFailure reports whether an exchange failed. 404 and the results of conditions are
// regular answers.
func isFailure(a s3.Attempt) bool {
	switch a.Status {
	case http.StatusNotModified, http.StatusNotFound, http.StatusPreconditionFailed, http.StatusRequestedRangeNotSatisfiable:
		return false
	}
	return a.Err != nil
}

// Stats returns the counters by kind.
func (r *Requests) Stats() map[string]Calls {
	all := map[string]Calls{}
	r.kinds.Range(func(op, v any) bool {
		c := v.(*calls)
		all[op.(string)] = Calls{Latency: c.meter.Latency(), Retries: c.retries.Load(), Sent: c.sent.Load(), Received: c.received.Load()}
		return true
	})
	return all
}
