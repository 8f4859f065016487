package s3test

import (
	"maps"
	"net/http"
	"slices"
	"sync"
)

// Request is one request as Server.Log remembers it.
type Request struct {
	Kind        string // as S3's API pages name it, e.g. "GetObject"
	Bucket, Key string
	Query       string      // as sent
	Header      http.Header // of the request
	Status      int         // 0 while it is not decided
}

// requestLog counts requests by kind and keeps the latest.
type requestLog struct {
	limit int

	mu     sync.Mutex
	counts map[string]int
	latest []*Request
}

// begin counts a request before it is answered, so that a client that has the answer
// finds it counted.
func (l *requestLog) begin(r *Request) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts == nil {
		l.counts = map[string]int{}
	}
	l.counts[r.Kind]++
	l.latest = append(l.latest, r)
	if len(l.latest) >= 2*l.limit { // cut rarely, so that each request costs little
		l.latest = slices.Clone(l.latest[len(l.latest)-l.limit:])
	}
}

// answer notes the status of a request just before it is sent.
func (l *requestLog) answer(r *Request, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.Status = status
}

// Requests counts the requests since the start or the last Reset by kind, as
// S3's API pages name them ("GetObject", "ListObjectsV2", "UploadPartCopy", ...).
// A request counts from its arrival; one that a fault kept from the server does not.
func (s *Server) Requests() map[string]int {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	return maps.Clone(s.log.counts)
}

// Total is the number of requests since the start or the last Reset.
func (s *Server) Total() int {
	n := 0
	for _, c := range s.Requests() {
		n += c
	}
	return n
}

// Log returns the latest requests, oldest first.
func (s *Server) Log() []Request {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	latest := s.log.latest[max(0, len(s.log.latest)-s.log.limit):]
	out := make([]Request, len(latest))
	for i, r := range latest {
		out[i] = *r
	}
	return out
}

// Reset forgets the counts and the log; the buckets stay.
func (s *Server) Reset() {
	s.log.mu.Lock()
	defer s.log.mu.Unlock()
	s.log.counts, s.log.latest = nil, nil
}
