package harness

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"
)

// Shape is the link that a proxy simulates.
type Shape struct {
	Latency time.Duration // delay of every request before it is forwarded
	Rate    int64         // bytes per second of one connection in each direction; 0 means no limit
}

// Proxy is a proxy in front of an S3 server. Its methods are safe for concurrent use.
type Proxy struct {
	URL string // URL of the proxy

	target string
	ln     net.Listener
	wg     sync.WaitGroup
	done   chan struct{} // closed by Close

	mu       sync.Mutex
	shape    Shape
	faults   []*Fault
	struck   int // number of exchanges that a fault has changed
	requests []Request
	conns    map[net.Conn]struct{}
	maxConns int
	idle     chan struct{} // closed when the last connection ends; nil: nobody waits for that
	past     []exchanged
	sent     int64 // body bytes from the client
	received int64 // body bytes from the server
	closed   bool
}

// Fault changes some requests. The first fault that matches and is not used up applies.
type Fault struct {
	Match func(*Request) bool // nil matches every request
	Skip  int                 // number of matching requests that pass first
	Times int                 // number of requests that are then changed; 0 means all

	Delay     time.Duration // delay before anything else
	Status    int           // status of an answer of the proxy; the server does not get the request
	Code      string        // S3 error code of this answer
	Header    string        // additional header line of this answer, such as "Retry-After: 1"
	Drop      bool          // reset the connection before the request is forwarded
	DropReply bool          // forward the request, but not the answer
	CutBody   int64         // reset the connection after this many bytes of the answer's body
	Stall     bool          // stop sending after CutBody bytes, or after the header if it is 0
	Rate      int64         // bytes per second of this exchange in each direction
	Flip      bool          // invert one bit of the answer's body

	seen, hit int
}

// StartProxy serves on a free loopback port until Close.
func StartProxy(endpoint string, shape Shape) (*Proxy, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the proxy: %w", err)
	}
	p := &Proxy{
		URL:    "http://" + ln.Addr().String(),
		target: strings.TrimPrefix(endpoint, "http://"),
		ln:     ln, shape: shape, conns: map[net.Conn]struct{}{}, done: make(chan struct{}),
	}
	p.wg.Go(p.accept)
	return p, nil
}

// Close ends the proxy and all its connections. It must be called once.
func (p *Proxy) Close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	close(p.done)
	_ = p.ln.Close() // fails only if the listener is closed already
	p.CloseConnections()
	p.wg.Wait()
}

// CloseConnections closes all connections through the proxy.
func (p *Proxy) CloseConnections() {
	p.mu.Lock()
	conns := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, c := range conns {
		_ = c.Close()
	}
}

// SetShape changes the link for later requests.
func (p *Proxy) SetShape(s Shape) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shape = s
}

// Inject adds a fault.
func (p *Proxy) Inject(f Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = append(p.faults, &f)
}

// AwaitIdle waits until there is no connection. The requests of a process that was killed
// have then been executed or refused, and change nothing any more.
func (p *Proxy) AwaitIdle(ctx context.Context) error {
	p.mu.Lock()
	if len(p.conns) == 0 {
		p.mu.Unlock()
		return nil
	}
	if p.idle == nil {
		p.idle = make(chan struct{})
	}
	idle := p.idle
	p.mu.Unlock()
	select {
	case <-idle:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("wait for the end of all connections: %w", ctx.Err())
	}
}

// Heal removes all faults.
func (p *Proxy) Heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.faults = nil
}

// Struck returns the number of exchanges that faults have changed.
func (p *Proxy) Struck() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.struck
}

// Reset resets the counters of requests and bytes.
func (p *Proxy) Reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests, p.sent, p.received = nil, 0, 0
	p.maxConns = len(p.conns) / 2
}

// Requests returns the requests since the last Reset in the order of their arrival.
func (p *Proxy) Requests() []Request {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.requests)
}

// Counts returns the number of requests since the last Reset by kind.
func (p *Proxy) Counts() Counts {
	c := Counts{}
	for _, r := range p.Requests() {
		c[r.Kind]++
	}
	return c
}

// Bytes returns the bytes of bodies since the last Reset that the client has sent and
// received.
func (p *Proxy) Bytes() (sent, received int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.sent, p.received
}

// MaxConns returns the largest number of concurrent client connections.
func (p *Proxy) MaxConns() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.maxConns
}

// Counts are numbers of requests by kind.
type Counts map[Kind]int

// Total returns the sum of all kinds.
func (c Counts) Total() int {
	n := 0
	for _, v := range c {
		n += v
	}
	return n
}

// String lists the counts, the largest first.
func (c Counts) String() string {
	kinds := slices.SortedFunc(maps.Keys(c), func(a, b Kind) int {
		if c[a] != c[b] {
			return c[b] - c[a]
		}
		return strings.Compare(string(a), string(b))
	})
	var s []string
	for _, k := range kinds {
		s = append(s, fmt.Sprintf("%s %d", k, c[k]))
	}
	return strings.Join(s, ", ")
}

// exchanged is a finished request.
type exchanged struct {
	Request
	arrived, ended time.Time
	status         string // status of the server, or the fault
	err            error
}

// pastMost is the number of requests that the proxy remembers: all requests of some
// seconds in a storm, in which a file came to differ.
const pastMost = 20_000

func (p *Proxy) remember(x exchanged) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.past = append(p.past[max(0, len(p.past)+1-pastMost):], x)
}

// Past describes the last requests for a key in the order of their ends.
func (p *Proxy) Past(key string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	const clock = "15:04:05.000"
	var out []string
	for _, x := range p.past {
		if x.Key == key || strings.HasSuffix(x.Header.Get("X-Amz-Copy-Source"), "/"+key) {
			out = append(out, fmt.Sprintf("%s to %s: %s %s, %s bytes, if match %q and not %q, copy of %q: %s (%v)",
				x.arrived.UTC().Format(clock), x.ended.UTC().Format(clock), x.Kind, x.Key, x.Header.Get("Content-Length"),
				x.Header.Get("If-Match"), x.Header.Get("If-None-Match"), x.Header.Get("X-Amz-Copy-Source"), x.status, x.err))
		}
	}
	return out
}

// admit counts a request and returns the link and the fault that apply to it.
func (p *Proxy) admit(r Request) (Shape, Fault) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests = append(p.requests, r)
	for _, f := range p.faults {
		if f.Match != nil && !f.Match(&r) {
			continue
		}
		f.seen++
		if f.seen <= f.Skip || f.Times > 0 && f.hit >= f.Times {
			continue
		}
		f.hit++
		p.struck++
		shape := p.shape
		if f.Rate > 0 {
			shape.Rate = f.Rate
		}
		return shape, *f
	}
	return p.shape, Fault{}
}

func (p *Proxy) track(c net.Conn, open bool) (ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !open {
		delete(p.conns, c)
		if len(p.conns) == 0 && p.idle != nil {
			close(p.idle)
			p.idle = nil
		}
		return true
	}
	if p.closed {
		return false
	}
	p.conns[c] = struct{}{}
	p.maxConns = max(p.maxConns, (len(p.conns)+1)/2) // each client has a connection to the proxy and one to the server
	return true
}

func (p *Proxy) count(sent, received int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sent += sent
	p.received += received
}
