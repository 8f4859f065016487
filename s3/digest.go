package s3

import (
	"hash/crc32"
	"math/bits"
	"strings"
)

// Whole reports whether s covers the bytes of an object in order. Composite checksums
// of multipart uploads ("value-parts") do not.
func (s Checksum) Whole() bool { return s.Value != "" && !strings.Contains(s.Value, "-") }

// Digest computes one of the additional checksums over consecutive bytes. Digests of
// consecutive ranges can be combined without the bytes.
type Digest struct {
	sum checksummer
	n   int64
}

// NewDigest returns a Digest of no bytes.
func NewDigest(a ChecksumAlgorithm) *Digest { return &Digest{sum: checksummer{algorithm: a}} }

// Algorithm returns the algorithm of the digest.
func (d *Digest) Algorithm() ChecksumAlgorithm { return d.sum.algorithm }

// Len returns the number of bytes that the digest covers.
func (d *Digest) Len() int64 { return d.n }

// Write adds p to the digest. It never returns an error.
func (d *Digest) Write(p []byte) (int, error) {
	d.sum.write(p)
	d.n += int64(len(p))
	return len(p), nil
}

// Append adds the bytes of next, whose algorithm must be the same, to the end of d.
func (d *Digest) Append(next *Digest) {
	d.sum.sum = fieldOf(d.sum.algorithm).shift(d.sum.sum, next.n) ^ next.sum.sum
	d.n += next.n
}

// Value returns the checksum in the format of S3.
func (d *Digest) Value() string { return d.sum.value() }

// field is the ring of polynomials over GF(2) modulo the polynomial of a CRC. The bits
// are in reverse order: the highest of the width bits is the coefficient of x^0.
type field struct {
	poly  uint64
	width int
}

// castagnoliField, ieeeField and nvmeField belong to the polynomials of the algorithms
// (RFC 3720, section 12.1; IEEE 802.3; NVM Express NVM Command Set 1.0d, section 5.2.1.3.4).
var (
	castagnoliField = field{crc32.Castagnoli, 32}
	ieeeField       = field{crc32.IEEE, 32}
	nvmeField       = field{0x9A6C9329AC4BC9B5, 64}
)

func fieldOf(a ChecksumAlgorithm) field {
	switch a {
	case CRC32C:
		return castagnoliField
	case CRC64NVME:
		return nvmeField
	}
	return ieeeField
}

// times multiplies two polynomials.
func (f field) times(a, b uint64) (product uint64) {
	for top := uint64(1) << (f.width - 1); a != 0; a = a << 1 & (top<<1 - 1) {
		if a&top != 0 {
			product ^= b
		}
		b = b>>1 ^ -(b&1)&f.poly
	}
	return product
}

// shift returns p multiplied by x^(8n). This converts the CRC of some bytes into their
// contribution to the CRC after n more bytes, as in crc32_combine of zlib.
func (f field) shift(p uint64, n int64) uint64 {
	power := uint64(1) << (f.width - 1 - 8) // x^8
	for left := uint64(n); left != 0; left >>= 1 {
		if left&1 != 0 {
			p = f.times(power, p)
		}
		if bits.Len64(left) > 1 {
			power = f.times(power, power)
		}
	}
	return p
}
