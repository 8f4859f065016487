package s3test

import (
	"net/http"
	"sync"
)

// serving counts the requests that are being served.
type serving struct {
	mu    sync.Mutex
	count int
	ended *sync.Cond
}

// wrap returns a handler that counts the requests in progress.
func (v *serving) wrap(h http.Handler) http.Handler {
	v.ended = sync.NewCond(&v.mu)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		v.mu.Lock()
		v.count++
		v.mu.Unlock()
		defer func() {
			v.mu.Lock()
			v.count--
			v.mu.Unlock()
			v.ended.Broadcast()
		}()
		h.ServeHTTP(w, r)
	})
}

// Quiet closes all connections and waits until no request is being served. A request
// whose client has died may be executed until then.
func (s *Server) Quiet() {
	s.CloseConnections()
	s.serving.mu.Lock()
	defer s.serving.mu.Unlock()
	for s.serving.count > 0 {
		s.serving.ended.Wait()
	}
}
