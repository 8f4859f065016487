package writeback

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// outcome returns the version that the request t has made, from the answer of S3. An error does not
// prove that the object was not made: the answer may have been lost, and the retry of a conditional
// request then finds the object of the first attempt. Therefore outcome sends a HEAD and compares the
// object with the fingerprint that show returns.
func (m *Manager) outcome(ctx context.Context, t target, size int64, out *s3.PutOutput, err error,
	show func() (fingerprint, error)) (Version, error) {
	if err == nil && out.ETag != "" {
		return Version{Key: t.key, ETag: out.ETag, Size: size, VersionID: out.VersionID, Date: out.Date, Object: t.object}, nil
	}
	if err != nil && (ctx.Err() != nil || certain(err)) {
		return Version{}, fmt.Errorf("write %q: %w", t.key, err)
	}
	conditional := t.ifMatch != "" || t.ifNoneMatch != ""
	refused := conditional && (errors.Is(err, s3.ErrPreconditionFailed) || errors.Is(err, s3.ErrNotFound))
	info, headErr := m.headKey(ctx, t)
	switch {
	case errors.Is(headErr, s3.ErrNotFound) && !errors.Is(headErr, s3.ErrNoSuchBucket) && refused && t.ifMatch != "":
		return Version{}, fmt.Errorf("%w: %q was deleted", ErrConflict, t.key)
	case headErr != nil && err == nil:
		return Version{}, fmt.Errorf("the server answered without an ETag, look at %q: %w", t.key, headErr)
	case headErr != nil:
		return Version{}, fmt.Errorf("write %q: %w", t.key, err)
	}
	if info.Size == size && carries(info.Metadata, t.object.Metadata) {
		ours, e := err == nil, error(nil)
		if !ours {
			var p fingerprint
			p, e = show()
			ours = p.match(info)
		}
		if e != nil {
			return Version{}, fmt.Errorf("compare %q with the sent bytes: %w", t.key, e)
		}
		if ours {
			return Version{Key: t.key, ETag: info.ETag, Size: size, VersionID: info.VersionID, Date: info.LastModified, Object: t.object}, nil
		}
	}
	if errors.Is(err, s3.ErrPreconditionFailed) && info.ETag != t.ifMatch {
		return Version{}, fmt.Errorf("%w: %q is %s now", ErrConflict, t.key, info.ETag)
	}
	if err == nil {
		err = errors.New("the server answered without an ETag and shows another object")
	}
	return Version{}, fmt.Errorf("write %q: %w", t.key, err)
}

// certain reports whether err proves that nothing was written.
func certain(err error) bool {
	for _, kind := range []error{s3.ErrForbidden, s3.ErrTooLarge, s3.ErrInvalidInput, s3.ErrNotImplemented,
		s3.ErrNoCredentials, s3.ErrExpiredCredentials, s3.ErrNoSuchBucket, s3.ErrClockSkew, s3.ErrRedirect} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

// headKey sends a HEAD for the object at t.
func (m *Manager) headKey(ctx context.Context, t target) (info *s3.ObjectInfo, err error) {
	err = m.call(ctx, nil, func(ctx context.Context) (err error) {
		info, err = m.store.Head(ctx, &s3.HeadInput{Bucket: m.o.Bucket, Key: t.key, SSE: t.object.SSE.Customer})
		return err
	})
	return info, err
}

// sums holds the hashes for the fingerprint of an object.
type sums struct {
	md5, crc32c, crc64 hash.Hash
}

func newSums() *sums {
	return &sums{md5: md5.New(), crc32c: crc32.New(crc32.MakeTable(crc32.Castagnoli)),
		crc64: crc64.New(crc64.MakeTable(crc64NVME))}
}

// Write implements io.Writer.
func (s *sums) Write(p []byte) (int, error) {
	s.md5.Write(p)
	s.crc32c.Write(p)
	s.crc64.Write(p)
	return len(p), nil
}

// fingerprint identifies the bytes of an object: a checksum of the whole object, or its ETag. The ETag
// is the MD5 of the bytes, or the MD5 of MD5s for a multipart object, unless the object is encrypted.
type fingerprint struct{ etag, crc32c, crc64 string }

// fingerprint returns the fingerprint of an object that one PUT made of the bytes written to s.
func (s *sums) fingerprint() fingerprint {
	sum := func(h hash.Hash) string { return base64.StdEncoding.EncodeToString(h.Sum(nil)) }
	return fingerprint{etag: hex.EncodeToString(s.md5.Sum(nil)), crc32c: sum(s.crc32c), crc64: sum(s.crc64)}
}

// match reports whether the object has these bytes.
func (p fingerprint) match(info *s3.ObjectInfo) bool {
	switch info.Checksum {
	case s3.Checksum{Algorithm: s3.CRC64NVME, Value: p.crc64}, s3.Checksum{Algorithm: s3.CRC32C, Value: p.crc32c}:
		return p.crc64 != ""
	}
	return p.etag != "" && strings.Trim(info.ETag, `"`) == p.etag
}

// crc64NVME is the polynomial of CRC-64/NVME, reversed
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html).
const crc64NVME = 0x9a6c9329ac4bc9b5

// ofParts returns the fingerprint of a multipart object: the MD5 of the MD5s of its parts, and their
// number. It is empty and matches nothing if the ETags of the parts are not MD5s.
func ofParts(parts []s3.Part) fingerprint {
	h := md5.New()
	for _, p := range parts {
		sum, err := hex.DecodeString(strings.Trim(p.ETag, `"`))
		if err != nil {
			return fingerprint{}
		}
		h.Write(sum)
	}
	return fingerprint{etag: fmt.Sprintf("%s-%d", hex.EncodeToString(h.Sum(nil)), len(parts))}
}
