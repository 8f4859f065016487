package harness

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/textproto"
	"strconv"
	"strings"
	"time"
)

func (p *Proxy) accept() {
	for {
		c, err := p.ln.Accept()
		if err != nil {
			return // closed
		}
		p.wg.Go(func() { p.serve(c.(*net.TCPConn)) })
	}
}

// side is one end of a proxied connection. br parses headers. Bodies are moved between
// sockets in the kernel (splice).
type side struct {
	*net.TCPConn
	br *bufio.Reader
}

func newSide(c *net.TCPConn) *side { return &side{c, bufio.NewReaderSize(c, 16<<10)} }

// serve handles the requests of one client connection over one connection to the
// server.
func (p *Proxy) serve(conn *net.TCPConn) {
	defer conn.Close()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return // the client sees a closed connection, as if the server were down
	}
	defer up.Close()
	for _, c := range []net.Conn{conn, up} {
		if !p.track(c, true) {
			return
		}
		defer p.track(c, false)
	}
	client, server := newSide(conn), newSide(up.(*net.TCPConn))
	for {
		if err := p.exchange(client, server); err != nil {
			return
		}
	}
}

// head is the first line and the header of a request or an answer.
type head struct {
	first  string
	raw    []byte
	header http.Header
}

func readHead(br *bufio.Reader) (head, error) {
	var h head
	h.header = http.Header{}
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return h, err
		}
		h.raw = append(h.raw, line...)
		text := strings.TrimRight(string(line), "\r\n")
		switch {
		case text == "" && h.first == "":
			continue // a blank line before a request is allowed (RFC 9112, 2.2)
		case text == "":
			return h, nil
		case h.first == "":
			h.first = text
		default:
			k, v, _ := strings.Cut(text, ":")
			h.header.Add(textproto.CanonicalMIMEHeaderKey(k), strings.TrimSpace(v))
		}
	}
}

// length returns the length of the body, or -1 if it is chunked.
func (h head) length() int64 {
	if strings.EqualFold(h.header.Get("Transfer-Encoding"), "chunked") {
		return -1
	}
	n, err := strconv.ParseInt(h.header.Get("Content-Length"), 10, 64)
	if err != nil {
		return 0
	}
	return n
}

var errDropped = errors.New("dropped by a fault")

func (p *Proxy) exchange(client, server *side) (err error) {
	req, err := readHead(client.br)
	if err != nil {
		return err
	}
	method, rest, _ := strings.Cut(req.first, " ")
	target, _, _ := strings.Cut(rest, " ")
	x := exchanged{Request: classify(method, target, req.header), arrived: time.Now()}
	defer func() {
		x.ended, x.err = time.Now(), err
		p.remember(x)
	}()
	shape, fault := p.admit(x.Request)
	if wait := shape.Latency + fault.Delay; wait > 0 {
		select {
		case <-time.After(wait):
		case <-p.done:
			return errDropped
		}
	}
	switch {
	case fault.Status != 0:
		x.status = "refused by the proxy"
		return p.answer(client, req, method, fault)
	case fault.Drop:
		x.status = "dropped by the proxy"
		_ = client.SetLinger(0) // reset the connection
		return errDropped
	}
	if _, err := server.Write(req.raw); err != nil {
		return err
	}
	body := make(chan error, 1)
	go func() {
		n, err := copyBody(server, client, req.length(), shape.Rate)
		p.count(n, 0)
		if err != nil {
			_ = server.CloseWrite() // the client has gone, and the server waits for the body
		}
		body <- err
	}()
	if err := p.reply(client, server, method, shape, fault, &x.status); err != nil {
		return err
	}
	select {
	case err := <-body:
		if err != nil {
			return err
		}
	case <-time.After(time.Second): // the server answered before it had the body, so that the connection cannot be used again
		return errDropped
	}
	if strings.EqualFold(req.header.Get("Connection"), "close") {
		return io.EOF
	}
	return nil
}

// reply forwards the answers of the server, including interim ones. It stores the
// status in told.
func (p *Proxy) reply(client, server *side, method string, shape Shape, fault Fault, told *string) error {
	for {
		res, err := readHead(server.br)
		if err != nil {
			return err
		}
		status := strings.Fields(res.first + " 0 0")[1]
		*told = status
		if fault.DropReply && !strings.HasPrefix(status, "1") {
			_ = client.SetLinger(0)
			return errDropped
		}
		if _, err := client.Write(res.raw); err != nil {
			return err
		}
		if strings.HasPrefix(status, "1") {
			continue
		}
		n := res.length()
		if method == http.MethodHead || status == "204" || status == "304" {
			n = 0
		}
		if fault.Stall || fault.CutBody > 0 {
			return p.breakOff(client, server, n, fault)
		}
		var m int64
		if fault.Flip && n > 0 {
			m, err = copyFlipped(client, server, n)
		} else {
			m, err = copyBody(client, server, n, shape.Rate)
		}
		p.count(0, m)
		if err == nil && strings.EqualFold(res.header.Get("Connection"), "close") {
			err = io.EOF
		}
		return err
	}
}

// breakOff sends the first bytes of an answer's body and then none.
// breakOff sends the first n bytes of a body and then stops.
func (p *Proxy) breakOff(client, server *side, n int64, fault Fault) error {
	m, err := copyBody(client, server, min(n, fault.CutBody), 0)
	p.count(0, m)
	if err != nil {
		return err
	}
	if fault.Stall {
		_, _ = io.Copy(io.Discard, client.br) // until the client closes the connection or the proxy is closed
		return errDropped
	}
	_ = client.SetLinger(0)
	return errDropped
}

// answer answers a request with an S3 error.
func (p *Proxy) answer(client *side, req head, method string, f Fault) error {
	var last error
	if req.header.Get("Expect") != "" {
		last = io.EOF // the client will not send its body
	} else if n, err := copyBody(nil, client, req.length(), 0); err != nil {
		return err
	} else {
		p.count(n, 0)
	}
	body := ""
	if method != http.MethodHead {
		body = fmt.Sprintf("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>injected</Message><RequestId>0</RequestId></Error>", f.Code)
	}
	extra := ""
	if f.Header != "" {
		extra = f.Header + "\r\n"
	}
	_, err := fmt.Fprintf(client, "HTTP/1.1 %d %s\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n%s\r\n%s",
		f.Status, http.StatusText(f.Status), len(body), extra, body)
	if err != nil {
		return err
	}
	return last
}
