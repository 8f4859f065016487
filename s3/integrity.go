package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
)

// integrity is the state of the negotiation of checksums with the server. It changes
// only along the arrows:
//
//	unknown ──echo──> trial ──echo──> trailer
//	  │                └─no echo, refused──> header
//	  └─no echo, refused──> md5
//
// In the states unknown and trial the client sends a header, which servers without
// checksums ignore or refuse. It sends no trailer in unknown, because some servers
// would store it as part of the object.
type integrity struct {
	state     atomic.Int32
	algorithm ChecksumAlgorithm
}

const (
	checksumUnknown int32 = iota // send a header and see whether the response echoes it
	checksumTrial                // headers are verified; one trailer may be tried
	checksumTrailer
	checksumHeader
	checksumMD5 // the server verifies only Content-MD5
	checksumOff
)

// trailerMin is the least size of a body with a trailer. A trailer saves one pass over
// the body (0.19 s of CPU per GiB) and costs a frame.
const trailerMin = 1 << 20

func (i *integrity) init(o Options, e endpoint) {
	i.algorithm = o.ChecksumAlgorithm
	switch {
	case o.Checksums == ChecksumOff:
		i.state.Store(checksumOff)
	case e.aws:
		i.state.Store(checksumTrailer)
	}
}

// wanted reports whether uploads should request additional checksums.
func (i *integrity) wanted() bool {
	s := i.state.Load()
	return s != checksumMD5 && s != checksumOff
}

// payload is the body of a call over all its attempts.
type payload struct {
	src   io.Reader
	size  int64
	start int64 // initial offset of src
	seek  io.Seeker
	sent  bool  // an attempt may have read from src
	once  bool  // conditional: must not be sent twice on suspicion
	state int32 // state of integrity for this call
	known int32 // state of integrity when the call began
	begun bool
	moved bool // src may have another offset than start
	// plainPart marks a part of an upload that was created without checksums. Some
	// servers refuse a checksum on such a part, which says nothing about other uploads.
	plainPart bool
	// noTrailer is set for multi-region access points: the signer cannot sign trailers.
	noTrailer bool
	sum       string // the checksum, or "" if not yet computed
	md5       string
	answer    *Checksum // checksum that the server confirmed
}

// newPayload returns the payload of src. It can be sent again if src is an io.Seeker.
func newPayload(src io.Reader, size int64) *payload {
	p := &payload{src: src, size: size}
	if s, ok := src.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			p.seek, p.start = s, at
		}
	}
	if src == nil {
		p.src = strings.NewReader("")
		p.seek = p.src.(io.Seeker)
	}
	return p
}

// md5Hex returns the MD5 of the body in the format of ETags, or "" if it was not
// computed.
func (p *payload) md5Hex() string {
	b, err := base64.StdEncoding.DecodeString(p.md5)
	if err != nil {
		return ""
	}
	return hex.EncodeToString(b)
}

// again returns the body for another call. It keeps the computed checksums.
func (p *payload) again() *payload {
	if !p.begun || p.seek == nil {
		return p
	}
	return &payload{src: p.src, size: p.size, start: p.start, seek: p.seek, sent: p.sent, plainPart: p.plainPart, sum: p.sum, md5: p.md5, moved: true}
}

func (p *payload) replayable() bool { return p.seek != nil || !p.sent }

func (p *payload) rewind() error {
	_, err := p.seek.Seek(p.start, io.SeekStart)
	return err
}

// trailer reports whether this attempt sends the checksum as a trailer.
func (p *payload) trailer() bool {
	if p.noTrailer {
		return false
	}
	switch p.state {
	case checksumTrailer:
		return p.seek == nil || p.size >= trailerMin
	case checksumTrial:
		return p.seek != nil && p.size >= trailerMin && !p.once
	}
	return false
}

// prepare chooses how this attempt protects its body and sets the headers accordingly.
// For a checksum in a header it reads the body once in advance.
func (c *Client) prepare(p *payload, h http.Header) (*sendBody, error) {
	if !p.begun {
		p.begun = true
		p.known = c.integrity.state.Load()
		if p.plainPart && c.plainParts.Load() {
			p.known = checksumMD5
		}
		p.state = p.known
	}
	if p.moved && p.seek != nil {
		if err := p.rewind(); err != nil {
			return nil, err
		}
	}
	p.moved = true
	b := &sendBody{src: p.src, size: p.size, pool: c.pool, responseTimeout: c.opts.ResponseTimeout}
	h["X-Amz-Content-Sha256"] = []string{unsignedPayload}
	switch {
	case p.trailer():
		c.frame(b, h)
	case p.seek == nil || p.state == checksumOff:
	case p.state == checksumMD5:
		if err := c.hash(p); err != nil {
			return nil, err
		}
		h["Content-Md5"] = []string{p.md5}
	default:
		if p.sum == "" {
			sum := checksummer{algorithm: c.integrity.algorithm}
			if err := c.scan(p, sum.write); err != nil {
				return nil, err
			}
			p.sum = sum.value()
		}
		h[c.integrity.algorithm.header()] = []string{p.sum}
	}
	return b, nil
}

// frame makes b use the aws-chunked encoding with a checksum trailer.
func (c *Client) frame(b *sendBody, h http.Header) {
	a := c.integrity.algorithm
	b.sum = &checksummer{algorithm: a}
	b.head = chunkHead(b.size)
	h["X-Amz-Content-Sha256"] = []string{unsignedTrailer}
	h["X-Amz-Trailer"] = []string{trailerName(a)}
	h["X-Amz-Decoded-Content-Length"] = []string{itoa(b.size)}
	encoding := "aws-chunked"
	if v := first(h, "Content-Encoding"); v != "" {
		encoding += "," + v
	}
	h["Content-Encoding"] = []string{encoding}
}

func trailerName(a ChecksumAlgorithm) string { return strings.ToLower(a.header()) }

// hash computes the MD5 of the body unless it is known.
func (c *Client) hash(p *payload) error {
	if p.md5 != "" {
		return nil
	}
	sum := md5.New()
	if err := c.scan(p, func(b []byte) { sum.Write(b) }); err != nil {
		return err
	}
	p.md5 = base64.StdEncoding.EncodeToString(sum.Sum(nil))
	return nil
}

// scan passes the whole body to f and seeks back to its start.
func (c *Client) scan(p *payload, f func([]byte)) error {
	if err := c.pool.digest(p.src, p.size, f); err != nil {
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return errBodyShort
		}
		return err
	}
	return p.rewind()
}

// learn updates the state of the negotiation after an accepted upload. It returns false
// if the body must be sent again because the server may have stored the trailer as
// data.
func (c *Client) learn(p *payload, b *sendBody, h http.Header) (ok bool) {
	a := c.integrity.algorithm
	echo := ""
	if v := h[a.header()]; len(v) > 0 {
		echo = v[0]
	}
	trailer := b.sum != nil
	if trailer {
		p.sum = b.sum.value()
	}
	if echo != "" && echo == p.sum {
		p.answer = &Checksum{a, echo}
	}
	next := p.state
	switch {
	case p.state == checksumUnknown && p.sum != "" && echo != "":
		next = checksumTrial
	case p.state == checksumUnknown && p.sum != "":
		next = checksumMD5
	case p.state == checksumTrial && trailer && p.answer != nil:
		next = checksumTrailer
	case p.state == checksumTrial && trailer:
		next = checksumHeader
	}
	if p.plainPart && next == checksumMD5 && p.known != checksumUnknown {
		c.plainParts.Store(true)
	} else if next != p.known {
		c.integrity.state.CompareAndSwap(p.known, next)
	}
	ok = !(p.state == checksumTrial && next == checksumHeader)
	p.state = next
	return ok
}

// weaken chooses a weaker checksum for the next attempt after a refusal. It returns
// false if the refusal was not due to the checksum. If the weaker checksum is accepted,
// learn updates the state for all calls.
func (p *payload) weaken(e *Error) bool {
	if !mayRefuseChecksum(e) {
		return false
	}
	switch {
	case p.state == checksumMD5 || p.state == checksumOff:
		return false
	case p.plainPart || p.state == checksumUnknown:
		p.state = checksumMD5
	case p.trailer():
		p.state = checksumHeader
	case p.state == checksumHeader && p.known != checksumHeader:
		p.state = checksumMD5 // neither a trailer nor a header was accepted
	default:
		return false
	}
	return true
}

func mayRefuseChecksum(e *Error) bool {
	switch e.Status {
	case http.StatusBadRequest, http.StatusLengthRequired, http.StatusNotImplemented:
		return e.kind != ErrRedirect && !e.retry
	case http.StatusForbidden:
		return e.Code == "SignatureDoesNotMatch" || e.Code == "XAmzContentSHA256Mismatch"
	}
	return false
}
