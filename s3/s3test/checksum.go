package s3test

import (
	"crypto/sha1" //nolint:gosec // one of S3's checksums
	"crypto/sha256"
	"encoding/base64"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"net/http"
	"strconv"
	"strings"
)

// crc64NVMEPolynomial is CRC-64/NVME's, bit-reversed as hash/crc64 wants it.
const crc64NVMEPolynomial = 0x9a6c9329ac4bc9b5

// checksum is one of S3's additional checksums
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
type checksum struct {
	algorithm string // "CRC32C" and so on, "" is none
	value     string // base64, with -N if composite
	composite bool
}

// algorithms are all of them, as XML elements and headers name them.
func algorithms() []string { return []string{"CRC32", "CRC32C", "CRC64NVME", "SHA1", "SHA256"} }

// newHash computes the checksum, nil for an algorithm that S3 does not know.
func newHash(algorithm string) hash.Hash {
	switch algorithm {
	case "CRC32":
		return crc32.NewIEEE()
	case "CRC32C":
		return crc32.New(crc32.MakeTable(crc32.Castagnoli))
	case "CRC64NVME":
		return crc64.New(crc64.MakeTable(crc64NVMEPolynomial))
	case "SHA1":
		return sha1.New() //nolint:gosec // one of S3's checksums
	case "SHA256":
		return sha256.New()
	}
	return nil
}

// checksumHeader is the header of an algorithm, "x-amz-checksum-crc32c" for example.
func checksumHeader(algorithm string) string { return "x-amz-checksum-" + strings.ToLower(algorithm) }

// announced returns the algorithm of the checksum in the request, or "". trailer
// reports whether the checksum follows the body.
func announced(h http.Header) (algorithm string, trailer bool) {
	for _, a := range algorithms() {
		if h.Get(checksumHeader(a)) != "" {
			return a, false
		}
		if strings.EqualFold(h.Get("x-amz-trailer"), checksumHeader(a)) {
			return a, true
		}
	}
	return "", false
}

// set writes the checksum's headers.
func (s checksum) set(h http.Header) {
	if s.algorithm != "" {
		h.Set(checksumHeader(s.algorithm), s.value)
		h.Set("x-amz-checksum-type", s.kind())
	}
}

// element writes the checksum's elements.
func (s checksum) element(x *xmlWriter) {
	if s.algorithm != "" {
		x.text("Checksum"+s.algorithm, s.value)
	}
}

// kind is S3's word for how the checksum of an upload follows from its parts.
func (s checksum) kind() string {
	if s.composite {
		return "COMPOSITE"
	}
	return "FULL_OBJECT"
}

// checksumOf computes the full checksum of c.
func checksumOf(algorithm string, c content) checksum {
	return checksum{algorithm: algorithm, value: base64.StdEncoding.EncodeToString(c.sum(newHash(algorithm)))}
}

// compositeOf is the checksum over the checksums of the parts.
func compositeOf(algorithm string, parts []*part) checksum {
	h := newHash(algorithm)
	for _, p := range parts {
		raw, err := base64.StdEncoding.DecodeString(p.checksum.value)
		if err == nil {
			_, _ = h.Write(raw)
		}
	}
	value := base64.StdEncoding.EncodeToString(h.Sum(nil)) + "-" + strconv.Itoa(len(parts))
	return checksum{algorithm: algorithm, value: value, composite: true}
}
