package s3

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// These are the values of x-amz-content-sha256 other than the hash of a body.
const (
	unsignedPayload = "UNSIGNED-PAYLOAD"
	unsignedTrailer = "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
	// emptyPayload is the SHA-256 of no bytes.
	emptyPayload = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
)

const (
	amzTime    = "20060102T150405Z"
	amzDate    = "20060102"
	sigV4      = "AWS4-HMAC-SHA256"
	maxPresign = 7 * 24 * time.Hour // limit of S3
)

// signer signs requests with Signature Version 4
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html). The
// signer of the SDK makes several times as many allocations. A test compares the
// signatures of both.
type signer struct {
	key     atomic.Pointer[signingKey]
	scratch sync.Pool // *[]byte
}

// signingKey is the key for one day, region and service. It is cached because its
// derivation costs as much as the rest of a signature.
type signingKey struct {
	date, region, service, secret string
	mac                           macKey
}

// macKey is a key of HMAC-SHA256 (RFC 2104) with its padding applied.
type macKey struct{ inner, outer [sha256.BlockSize]byte }

// newMACKey returns the padded key. Only the first key of a derivation can be longer
// than a block and needs to be hashed.
func newMACKey(key []byte) (k macKey) {
	if len(key) > sha256.BlockSize {
		sum := sha256.Sum256(key)
		key = sum[:]
	}
	copy(k.inner[:], key)
	copy(k.outer[:], key)
	for i := range k.inner {
		k.inner[i] ^= 0x36
		k.outer[i] ^= 0x5c
	}
	return k
}

func (k *macKey) sum(data []byte) [sha256.Size]byte {
	var buf [512]byte // large enough to avoid a heap allocation
	inner := sha256.Sum256(append(append(buf[:0], k.inner[:]...), data...))
	return sha256.Sum256(append(append(buf[:0], k.outer[:]...), inner[:]...))
}

// signTarget holds the region, service and time of a signature.
type signTarget struct {
	region, service string
	now             time.Time
}

func (t signTarget) scope(stamp string) string {
	return stamp[:len(amzDate)] + "/" + t.region + "/" + t.service + "/aws4_request"
}

// sign adds the headers X-Amz-Date, X-Amz-Security-Token and Authorization. The
// X-Amz-Content-Sha256 header must be set, and path and query must be in the form in
// which they are sent.
func (s *signer) sign(r *http.Request, path, query string, cr aws.Credentials, t signTarget) {
	h := r.Header
	stamp := t.now.Format(amzTime)
	h["X-Amz-Date"] = []string{stamp}
	if cr.SessionToken != "" {
		h["X-Amz-Security-Token"] = []string{cr.SessionToken}
	}
	bp, _ := s.scratch.Get().(*[]byte)
	if bp == nil {
		bp = new([]byte)
	}
	var names [24]signedName
	signed := signedNames(names[:0], h)
	b := appendCanonical((*bp)[:0], r, path, query, signed)
	b = append(b, h["X-Amz-Content-Sha256"][0]...)
	sum := sha256.Sum256(b)
	scope := t.scope(stamp)
	signature := s.signature(sum, stamp, scope, cr, t)

	b = append(b[:0], sigV4+" Credential="...)
	b = append(append(append(b, cr.AccessKeyID...), '/'), scope...)
	b = appendNames(append(b, ", SignedHeaders="...), signed)
	b = append(b, ", Signature="...)
	b = hex.AppendEncode(b, signature[:])
	h["Authorization"] = []string{string(b)}
	*bp = b
	s.scratch.Put(bp)
}

// presign returns the encoded query with a signature
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html). The
// signature covers the headers of r that signedNames selects. The user of the URL must
// send them.
func (s *signer) presign(r *http.Request, path string, q query, cr aws.Credentials, t signTarget, expires time.Duration) string {
	stamp := t.now.Format(amzTime)
	var names [24]signedName
	signed := signedNames(names[:0], r.Header)
	q = append(q,
		param{"X-Amz-Algorithm", sigV4},
		param{"X-Amz-Credential", cr.AccessKeyID + "/" + t.scope(stamp)},
		param{"X-Amz-Date", stamp},
		param{"X-Amz-Expires", itoa(int64(expires / time.Second))},
		param{"X-Amz-SignedHeaders", string(appendNames(nil, signed))})
	if cr.SessionToken != "" {
		q = append(q, param{"X-Amz-Security-Token", cr.SessionToken})
	}
	enc := q.encode()
	b := appendCanonical(nil, r, path, enc, signed)
	b = append(b, unsignedPayload...)
	signature := s.signature(sha256.Sum256(b), stamp, t.scope(stamp), cr, t)
	return enc + "&X-Amz-Signature=" + hex.EncodeToString(signature[:])
}

// signedName is the name of a signed header, in canonical form and in lower case.
type signedName struct{ name, lower string }

// signedNames returns the names of the headers to sign in the order of the canonical
// request. It selects the headers that S3 requires. Proxies may change the others.
func signedNames(names []signedName, h http.Header) []signedName {
	names = append(names, signedName{"", "host"})
	for name := range h {
		if strings.HasPrefix(name, "X-Amz-") || name == "Content-Type" || name == "Content-Md5" {
			names = append(names, signedName{name, lowerName(name)})
		}
	}
	slices.SortFunc(names, func(a, b signedName) int { return strings.Compare(a.lower, b.lower) })
	return names
}

// lowerName is strings.ToLower without an allocation for the most common names.
func lowerName(name string) string {
	switch name {
	case "X-Amz-Date":
		return "x-amz-date"
	case "X-Amz-Content-Sha256":
		return "x-amz-content-sha256"
	case "X-Amz-Security-Token":
		return "x-amz-security-token"
	case "X-Amz-Checksum-Mode":
		return "x-amz-checksum-mode"
	case "X-Amz-Checksum-Crc32c":
		return "x-amz-checksum-crc32c"
	}
	return strings.ToLower(name)
}

func appendNames(b []byte, names []signedName) []byte {
	for i, n := range names {
		if i > 0 {
			b = append(b, ';')
		}
		b = append(b, n.lower...)
	}
	return b
}

// appendCanonical appends the canonical request without the hash of the payload.
func appendCanonical(b []byte, r *http.Request, path, query string, names []signedName) []byte {
	b = append(append(b, r.Method...), '\n')
	b = append(append(b, path...), '\n')
	b = append(append(b, query...), '\n')
	for _, n := range names {
		b = append(append(b, n.lower...), ':')
		if n.name == "" {
			b = append(b, r.Host...)
		}
		for i, v := range r.Header[n.name] {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendCollapsed(b, v)
		}
		b = append(b, '\n')
	}
	b = append(b, '\n')
	return append(appendNames(b, names), '\n')
}

// appendCollapsed appends a header value without surrounding spaces and with single
// spaces.
func appendCollapsed(b []byte, v string) []byte {
	v = strings.TrimSpace(v)
	if !strings.Contains(v, "  ") {
		return append(b, v...)
	}
	for i := 0; i < len(v); i++ {
		if v[i] != ' ' || v[i-1] != ' ' {
			b = append(b, v[i])
		}
	}
	return b
}

func (s *signer) signature(sum [sha256.Size]byte, stamp, scope string, cr aws.Credentials, t signTarget) [sha256.Size]byte {
	k := s.signingKey(cr, t, stamp[:len(amzDate)])
	var buf [256]byte
	b := append(buf[:0], sigV4+"\n"...)
	b = append(append(b, stamp...), '\n')
	b = append(append(b, scope...), '\n')
	b = hex.AppendEncode(b, sum[:])
	return k.mac.sum(b)
}

func (s *signer) signingKey(cr aws.Credentials, t signTarget, date string) *signingKey {
	if k := s.key.Load(); k != nil && k.date == date && k.region == t.region &&
		k.service == t.service && k.secret == cr.SecretAccessKey {
		return k
	}
	k := &signingKey{date: date, region: t.region, service: t.service, secret: cr.SecretAccessKey}
	key := mac([]byte("AWS4"+cr.SecretAccessKey), []byte(date))
	key = mac(key[:], []byte(t.region))
	key = mac(key[:], []byte(t.service))
	key = mac(key[:], []byte("aws4_request"))
	k.mac = newMACKey(key[:])
	s.key.Store(k)
	return k
}

func mac(key, data []byte) [sha256.Size]byte {
	k := newMACKey(key)
	return k.sum(data)
}

// credentials returns the keys for the signature. ok is false if requests are not
// signed.
func (c *Client) credentials(ctx context.Context) (cr aws.Credentials, ok bool, err error) {
	if c.opts.Credentials == nil {
		return aws.Credentials{}, false, nil
	}
	cr, err = c.opts.Credentials.Retrieve(ctx)
	if err != nil {
		return aws.Credentials{}, false, err
	}
	return cr, cr.AccessKeyID != "", nil
}

// emptyPayloadHeader is shared by all requests without a body and must not be modified.
var emptyPayloadHeader = []string{emptyPayload}

func sha256Hex(p []byte) string {
	sum := sha256.Sum256(p)
	return hex.EncodeToString(sum[:])
}
