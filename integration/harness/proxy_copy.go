package harness

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// pace is the size of the pieces in which limited bodies are copied. At 90 MB/s, 256
// KiB take 3 ms, much longer than a timer is late.
const pace = 256 << 10

// copyBody copies a body of n bytes from src to dst, or discards it if dst is nil. n is
// -1 for a chunked body. It returns the number of bytes.
func copyBody(dst, src *side, n, rate int64) (int64, error) {
	if n >= 0 {
		return copyN(dst, src, n, &pacer{rate: rate})
	}
	return copyChunks(dst, src, &pacer{rate: rate})
}

// copyFlipped copies a body of n bytes and inverts one bit in the middle.
func copyFlipped(dst, src *side, n int64) (int64, error) {
	body := make([]byte, n)
	if _, err := io.ReadFull(src.br, body); err != nil {
		return 0, err
	}
	body[n/2] ^= 1
	m, err := dst.Write(body)
	return int64(m), err
}

func copyChunks(dst, src *side, pc *pacer) (int64, error) {
	var total int64
	for {
		line, err := src.br.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		size, _, _ := strings.Cut(strings.TrimSpace(string(line)), ";")
		n, err := strconv.ParseInt(size, 16, 64)
		if err != nil {
			return total, fmt.Errorf("read chunk size: %w", err)
		}
		if dst != nil {
			if _, err := dst.Write(line); err != nil {
				return total, err
			}
		}
		if n == 0 {
			break
		}
		m, err := copyN(dst, src, n+2, pc) // with the CRLF after the chunk
		total += m
		if err != nil {
			return total, err
		}
	}
	for { // trailer
		line, err := src.br.ReadSlice('\n')
		if err != nil {
			return total, err
		}
		if dst != nil {
			if _, err := dst.Write(line); err != nil {
				return total, err
			}
		}
		if strings.TrimSpace(string(line)) == "" {
			return total, nil
		}
	}
}

func copyN(dst, src *side, n int64, pc *pacer) (int64, error) {
	var w io.Writer = io.Discard
	if dst != nil {
		w = dst.TCPConn
	}
	var total int64
	for total < n {
		piece := min(n-total, pace)
		var from io.Reader = src.TCPConn
		if b := int64(src.br.Buffered()); b > 0 {
			from, piece = src.br, min(piece, b)
		}
		m, err := io.CopyN(w, from, piece)
		total += m
		if err != nil {
			return total, err
		}
		pc.wait(m)
	}
	return total, nil
}

// pacer limits one direction of a connection to a rate.
type pacer struct {
	rate int64
	next time.Time
}

func (p *pacer) wait(n int64) {
	if p.rate <= 0 {
		return
	}
	if now := time.Now(); p.next.Before(now) {
		p.next = now
	}
	p.next = p.next.Add(time.Duration(n) * time.Second / time.Duration(p.rate))
	time.Sleep(time.Until(p.next))
}
