package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"sync"
)

// checksummer computes one of the additional checksums
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
type checksummer struct {
	algorithm ChecksumAlgorithm
	sum       uint64
}

// crc32IEEE is checked on downloads only: other clients upload with it.
const crc32IEEE ChecksumAlgorithm = "CRC32"

func (s *checksummer) write(p []byte) {
	switch s.algorithm {
	case CRC32C:
		s.sum = uint64(updateCRC32C(uint32(s.sum), p))
	case crc32IEEE:
		s.sum = uint64(crc32.Update(uint32(s.sum), crc32.IEEETable, p))
	case CRC64NVME:
		s.sum = updateCRC64NVME(s.sum, p)
	}
}

// value is the checksum as S3 writes it, base64 of the big-endian number.
func (s *checksummer) value() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], s.sum)
	if s.algorithm == CRC64NVME {
		return base64.StdEncoding.EncodeToString(b[:])
	}
	return base64.StdEncoding.EncodeToString(b[4:])
}

// encodedLen is the length of value.
func (a ChecksumAlgorithm) encodedLen() int {
	if a == CRC64NVME {
		return 12
	}
	return 8
}

// header is the canonical name of the header, or trailer, with the checksum.
func (a ChecksumAlgorithm) header() string {
	switch a {
	case CRC32C:
		return "X-Amz-Checksum-Crc32c"
	case CRC64NVME:
		return "X-Amz-Checksum-Crc64nvme"
	}
	return "X-Amz-Checksum-Crc32"
}

// touchSize is how much is fetched into the processor's nearest cache ahead of
// its checksum. Left to itself the instruction waits for each line of memory:
// 1.5 to 4 GB/s where bytes come from afar, 8 GB/s by pieces of 4 KiB, 6 GB/s
// by pieces of 1 KiB or 16 KiB.
const touchSize = 4 << 10

func updateCRC32C(sum uint32, p []byte) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	for len(p) > 0 {
		piece := p[:min(len(p), touchSize)]
		touch(piece)
		sum = crc32.Update(sum, table, piece)
		p = p[len(piece):]
	}
	return sum
}

// touch reads a byte of each cache line, which the processor does for many
// lines at one time. What it returns keeps the compiler from leaving it out.
//
//go:noinline
func touch(p []byte) (sum byte) {
	const line = 64
	for i := 0; i < len(p); i += line {
		sum += p[i]
	}
	return sum
}

// nvmePolynomial is CRC-64/NVME's, bits reversed
// (NVM Express NVM Command Set Specification 1.0d, section 5.2.1.3.4).
const nvmePolynomial = 0x9A6C9329AC4BC9B5

// nvmeTables serve slicing by eight: hash/crc64 builds such tables anew for
// every call with a polynomial that is not one of its own.
var nvmeTables = sync.OnceValue(func() *[8][256]uint64 {
	var t [8][256]uint64
	for i := range t[0] {
		crc := uint64(i)
		for range 8 {
			crc = crc>>1 ^ -(crc&1)&nvmePolynomial
		}
		t[0][i] = crc
	}
	for i := range t[0] {
		for k := 1; k < 8; k++ {
			t[k][i] = t[k-1][i]>>8 ^ t[0][byte(t[k-1][i])]
		}
	}
	return &t
})

func updateCRC64NVME(sum uint64, p []byte) uint64 {
	t := nvmeTables()
	crc := ^sum
	for len(p) >= 8 {
		crc ^= binary.LittleEndian.Uint64(p)
		crc = t[7][byte(crc)] ^ t[6][byte(crc>>8)] ^ t[5][byte(crc>>16)] ^ t[4][byte(crc>>24)] ^
			t[3][byte(crc>>32)] ^ t[2][byte(crc>>40)] ^ t[1][byte(crc>>48)] ^ t[0][byte(crc>>56)]
		p = p[8:]
	}
	for _, b := range p {
		crc = crc>>8 ^ t[0][byte(crc)^b]
	}
	return ^crc
}

func md5Base64(p []byte) string {
	sum := md5.Sum(p)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checksumOf reads the additional checksum that a response gives, if it is
// one of the whole object that this package can compute.
func checksumOf(h map[string][]string) Checksum {
	for _, a := range [...]ChecksumAlgorithm{CRC32C, CRC64NVME, crc32IEEE} {
		if v := h[a.header()]; len(v) > 0 {
			return Checksum{a, v[0]}
		}
	}
	return Checksum{}
}

// whole reports whether s covers an object's bytes in order; composite
// checksums of multipart uploads ("value-parts") do not.
func (s Checksum) whole() bool {
	return s.Value != "" && !strings.Contains(s.Value, "-")
}

// bufferPool holds the buffers that bodies pass through where they must.
type bufferPool struct{ p sync.Pool }

// copyBuffer is large enough that the system calls do not show in a profile.
const copyBuffer = 256 << 10

func (b *bufferPool) get() *[]byte {
	if p, ok := b.p.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, copyBuffer)
	return &p
}

func (b *bufferPool) put(p *[]byte) { b.p.Put(p) }

// digest passes size bytes of r through f.
func (b *bufferPool) digest(r io.Reader, size int64, f func([]byte)) error {
	buf := b.get()
	defer b.put(buf)
	for size > 0 {
		n, err := io.ReadFull(r, (*buf)[:min(size, copyBuffer)])
		f((*buf)[:n])
		if err != nil {
			return err
		}
		size -= int64(n)
	}
	return nil
}
