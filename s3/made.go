package s3

import (
	"crypto/md5"
	"encoding/hex"
	"errors"
	"io"
	"strconv"
	"strings"
)

// Made reports whether a request that wrote size bytes with the metadata has made the
// object that info describes. It decides that for all writes whose answer was lost. Two
// writers of the same bytes, as of empty lock files, differ in the metadata at best. print
// returns the fingerprint of the bytes; it is called if size and metadata agree. If print
// is nil, they suffice.
func Made(info *ObjectInfo, size int64, metadata map[string]string, print func() (Fingerprint, error)) (bool, error) {
	if info.Size != size || !carries(info.Metadata, metadata) {
		return false, nil
	}
	if print == nil {
		return true, nil
	}
	p, err := print()
	return err == nil && p.matches(info), err
}

// carries reports whether an object has the metadata that it was written with.
func carries(got, want map[string]string) bool {
	for name, v := range want {
		if got[strings.ToLower(name)] != v {
			return false
		}
	}
	return true
}

// Fingerprint identifies the bytes of an object by its ETag or by a checksum. The zero
// Fingerprint identifies nothing.
type Fingerprint struct {
	etag string // without quotes: S3 makes it of the bytes unless it encrypts the object
	sums [2]Checksum
}

// FingerprintOf returns the fingerprint of an object that one PUT makes of the bytes of r.
func FingerprintOf(r io.Reader) (Fingerprint, error) {
	hash, crc32c, crc64 := md5.New(), NewDigest(CRC32C), NewDigest(CRC64NVME)
	if _, err := io.Copy(io.MultiWriter(hash, crc32c, crc64), r); err != nil {
		return Fingerprint{}, err
	}
	return Fingerprint{
		etag: hex.EncodeToString(hash.Sum(nil)),
		sums: [2]Checksum{{CRC32C, crc32c.Value()}, {CRC64NVME, crc64.Value()}},
	}, nil
}

// FingerprintOfParts returns the fingerprint of an object that is made of parts.
func FingerprintOfParts(parts []Part) Fingerprint { return Fingerprint{etag: uploadETag(parts)} }

// MarshalText implements encoding.TextMarshaler.
func (p Fingerprint) MarshalText() ([]byte, error) {
	return []byte(p.etag + " " + p.sums[0].Value + " " + p.sums[1].Value), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Fingerprint) UnmarshalText(text []byte) error {
	fields := strings.Split(string(text), " ")
	if len(fields) != 3 {
		return errors.New("a fingerprint has three fields")
	}
	p.etag, p.sums = fields[0], [2]Checksum{{CRC32C, fields[1]}, {CRC64NVME, fields[2]}}
	return nil
}

func (p Fingerprint) matches(info *ObjectInfo) bool {
	for _, sum := range p.sums {
		if sum.Value != "" && sum == info.Checksum {
			return true
		}
	}
	return p.etag != "" && p.etag == strings.Trim(info.ETag, `"`)
}

// fingerprint returns the fingerprint of the bytes that were sent. The MD5 is missing if
// they cannot be read again.
func (c *Client) fingerprint(p *payload) Fingerprint {
	out := Fingerprint{}
	if p.sum != "" {
		out.sums[0] = Checksum{c.integrity.algorithm, p.sum}
	}
	if p.md5 != "" || p.seek != nil && p.rewind() == nil && c.hash(p) == nil {
		out.etag = p.md5Hex()
	}
	return out
}

// uploadETag returns the ETag that S3 gives to an object made of parts, without quotes:
// the MD5 of the parts' MD5s and their number. It is "" where the parts' ETags are no
// MD5s, as with SSE-KMS and SSE-C.
func uploadETag(parts []Part) string {
	sum := md5.New()
	for _, p := range parts {
		b, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil || len(b) != md5.Size {
			return ""
		}
		sum.Write(b)
	}
	return hex.EncodeToString(sum.Sum(nil)) + "-" + strconv.Itoa(len(parts))
}

// IsCertain reports whether err proves that the request wrote nothing. After any other
// error the object may exist: the answer may have been lost, and the repetition of a
// conditional request fails on the object of the first attempt.
func IsCertain(err error) bool {
	for _, kind := range []error{ErrForbidden, ErrTooLarge, ErrInvalidInput, ErrNotImplemented,
		ErrNoCredentials, ErrExpiredCredentials, ErrNoSuchBucket, ErrClockSkew, ErrRedirect} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}
