package s3

import (
	"crypto/md5"
	"encoding/base64"
	"encoding/binary"
	"hash/crc32"
	"io"
	"strings"
	"sync"

	"github.com/minio/crc64nvme"
)

// AWS documents the following about checksums
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html,
// read in December 2026):
//
//   - PutObject and UploadPart take one checksum of the body, as a header or, with
//     aws-chunked, as a trailer. A body that does not have it is refused with 400 BadDigest.
//     S3 stores the checksum. Without one it stores the CRC-64/NVME that it computes itself.
//   - The checksum of a multipart object covers the whole object (FULL_OBJECT, possible with
//     the CRCs) or is the checksum of the checksums of the parts (COMPOSITE, with "-" and the
//     number of parts behind it). Only the first kind can be compared with bytes that were
//     read in other pieces.
//   - GetObject and HeadObject send the checksum only if x-amz-checksum-mode is ENABLED, and
//     GetObject only for the whole object or for a whole part.
//   - The ETag is an MD5 of the bytes for single uploads without SSE-KMS and SSE-C only.

// checksummer computes one of the additional checksums of S3
// (https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html).
type checksummer struct {
	algorithm ChecksumAlgorithm
	sum       uint64
}

func (s *checksummer) write(p []byte) {
	switch s.algorithm {
	case CRC32C:
		s.sum = uint64(updateCRC32C(uint32(s.sum), p))
	case CRC32:
		s.sum = uint64(crc32.Update(uint32(s.sum), crc32.IEEETable, p))
	case CRC64NVME:
		s.sum = crc64nvme.Update(s.sum, p)
	}
}

// value returns the checksum in the format of S3: the big-endian number in base64.
func (s *checksummer) value() string {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], s.sum)
	if s.algorithm == CRC64NVME {
		return base64.StdEncoding.EncodeToString(b[:])
	}
	return base64.StdEncoding.EncodeToString(b[4:])
}

// encodedLen returns the length of checksummer.value in bytes.
func (a ChecksumAlgorithm) encodedLen() int {
	if a == CRC64NVME {
		return 12
	}
	return 8
}

// header returns the canonical name of the header, or trailer, that carries the
// checksum.
func (a ChecksumAlgorithm) header() string {
	switch a {
	case CRC32C:
		return "X-Amz-Checksum-Crc32c"
	case CRC64NVME:
		return "X-Amz-Checksum-Crc64nvme"
	}
	return "X-Amz-Checksum-Crc32"
}

// touchSize is the number of bytes that touch loads into the first-level cache before
// their checksum is computed. The CRC32C instruction waits for each cache line: it
// reaches 1.5 to 4 GB/s on bytes in main memory, 8 GB/s with pieces of 4 KiB, and 6
// GB/s with pieces of 1 KiB or 16 KiB.
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

// touch reads one byte of each cache line, so that the processor loads many lines in
// parallel. The result prevents the compiler from removing the reads.
//
//go:noinline
func touch(p []byte) (sum byte) {
	const line = 64
	for i := 0; i < len(p); i += line {
		sum += p[i]
	}
	return sum
}

func md5Base64(p []byte) string {
	sum := md5.Sum(p)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// checksumOf returns the additional checksum of a response, or the zero Checksum if the
// response has none that this package can compute. Most composite checksums of
// multipart uploads end in "-" and the number of parts. The others are recognized by
// the X-Amz-Checksum-Type header and ignored, because they do not cover the bytes in
// order.
func checksumOf(h map[string][]string) Checksum {
	for _, a := range [...]ChecksumAlgorithm{CRC32C, CRC64NVME, CRC32} {
		v := h[a.header()]
		if len(v) == 0 {
			continue
		}
		if kind := h["X-Amz-Checksum-Type"]; len(kind) > 0 && kind[0] == "COMPOSITE" && !strings.Contains(v[0], "-") {
			return Checksum{}
		}
		return Checksum{a, v[0]}
	}
	return Checksum{}
}

// bufferPool recycles the buffers of copyBuffer bytes through which bodies are copied.
type bufferPool struct{ p sync.Pool }

// copyBuffer is the size of a pooled buffer. With 256 KiB the cost of system calls does
// not show in a CPU profile.
const copyBuffer = 256 << 10

func (b *bufferPool) get() *[]byte {
	if p, ok := b.p.Get().(*[]byte); ok {
		return p
	}
	p := make([]byte, copyBuffer)
	return &p
}

func (b *bufferPool) put(p *[]byte) { b.p.Put(p) }

// digest reads size bytes from r and passes them to f in pieces.
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
