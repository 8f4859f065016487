package s3test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
)

// Middleware wraps next so that the faults strike inside a server.
func (f *Faults) Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { f.serve(next, w, r) })
}

func (f *Faults) serve(next http.Handler, w http.ResponseWriter, r *http.Request) {
	fault, _ := f.choose(r)
	if err := pause(r.Context(), f.Latency+fault.Delay); err != nil {
		panic(http.ErrAbortHandler)
	}
	switch {
	case fault.Err != nil:
		breakConnection(w, Reset)
	case fault.Status != 0:
		fault.answer(w, r)
		return
	case fault.Duplicate:
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler)
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(newDiscarder(), r)
		r.Body = io.NopCloser(bytes.NewReader(body))
	case fault.Lost:
		next.ServeHTTP(newDiscarder(), r)
		breakConnection(w, Reset)
	case fault.ErrorInBody != "":
		next.ServeHTTP(newDiscarder(), r)
		writeDocument(w, http.StatusOK, fault.ErrorInBody)
		return
	}
	f.pass(next, w, r, fault)
}

// pass runs the handler with its bodies as slow and as short as they are to be.
func (f *Faults) pass(next http.Handler, w http.ResponseWriter, r *http.Request, fault Fault) {
	if cut := fault.Cut; cut != nil && cut.Request {
		// The handler must not see the start of the body, because it would answer.
		_, _ = io.CopyN(io.Discard, r.Body, cut.After)
		if cut.How == Stall {
			<-r.Context().Done()
		}
		breakConnection(w, cut.How)
	}
	r.Body = wrapBody(r.Context(), r.Body, fault, f.Bandwidth, true)
	if fault.Cut != nil || fault.Flip != nil || f.Bandwidth != 0 {
		w = &faultWriter{ResponseWriter: w, ctx: r.Context(), fault: fault, pace: newPacer(f.Bandwidth)}
	}
	next.ServeHTTP(w, r)
}

// answer sends the fault's own answer.
func (f Fault) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.CopyN(io.Discard, r.Body, maxDrain) // else a client that is still sending sees a reset
	if f.RetryAfter > 0 {
		w.Header().Set("Retry-After", retryAfter(f.RetryAfter))
	}
	writeDocument(w, f.Status, f.Code)
}

func writeDocument(w http.ResponseWriter, status int, code string) {
	body := document(code)
	w.Header().Set("Content-Type", "application/xml")
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client may be gone
}

// breakConnection ends the connection and the handler. It does not return.
func breakConnection(w http.ResponseWriter, how End) {
	if how == Reset {
		if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0) // closing then sends a reset
			}
			_ = conn.Close()
		}
	}
	panic(http.ErrAbortHandler)
}

// faultWriter is an answer that is slow, or ends before its end.
type faultWriter struct {
	http.ResponseWriter
	ctx     context.Context
	fault   Fault
	pace    *pacer
	written int64
}

// Unwrap lets http.ResponseController reach the connection.
func (w *faultWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Write implements io.Writer.
func (w *faultWriter) Write(p []byte) (int, error) {
	total := 0
	for len(p) > 0 {
		now := w.pace.limit(p)
		if w.fault.Cut != nil {
			left := w.fault.Cut.After - w.written
			if left <= 0 {
				w.end()
			}
			now = now[:min(int64(len(now)), left)]
		}
		if flip := w.fault.Flip; flip != nil && !flip.Request {
			now = slices.Clone(now) // it is the object's own bytes
			flip.apply(now, w.written)
		}
		n, err := w.ResponseWriter.Write(now)
		total += n
		w.written += int64(n)
		if err != nil {
			return total, err
		}
		if w.pace != nil {
			_ = http.NewResponseController(w.ResponseWriter).Flush() // what moved is to be seen moving
		}
		if err := w.pace.wait(w.ctx, n); err != nil {
			return total, err
		}
		p = p[n:]
	}
	return total, nil
}

// end cuts the answer.
func (w *faultWriter) end() {
	_ = http.NewResponseController(w.ResponseWriter).Flush() // what came before the cut is to arrive
	if w.fault.Cut.How == Stall {
		<-w.ctx.Done()
	}
	breakConnection(w.ResponseWriter, w.fault.Cut.How)
}

// discarder discards the answer to a request.
type discarder struct{ header http.Header }

func newDiscarder() *discarder { return &discarder{header: http.Header{}} }

func (d *discarder) Header() http.Header         { return d.header }
func (d *discarder) Write(p []byte) (int, error) { return len(p), nil }
func (d *discarder) WriteHeader(int)             {}
