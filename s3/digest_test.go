package s3

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// TestDigestAppend cuts bytes into runs at random places, and compares the combined
// digest of the runs with the checksum of all bytes.
func TestDigestAppend(t *testing.T) {
	seed := [32]byte{byte(rand.Int()), byte(rand.Int())}
	rnd := rand.New(rand.NewChaCha8(seed))
	for _, a := range []ChecksumAlgorithm{CRC32C, CRC32, CRC64NVME} {
		for _, size := range []int{0, 1, 7, 100, 4096, 1<<20 + 3} {
			t.Run(fmt.Sprint(a, " ", size), func(t *testing.T) {
				data := make([]byte, size)
				for i := range data {
					data[i] = byte(rnd.Uint32())
				}
				whole := checksummer{algorithm: a}
				whole.write(data)
				sum := NewDigest(a)
				for rest := data; len(rest) > 0; {
					n := 1 + rnd.IntN(len(rest))
					next := NewDigest(a)
					next.Write(rest[:n])
					sum.Append(next)
					sum.Append(NewDigest(a)) // of no bytes
					rest = rest[n:]
				}
				if sum.Value() != whole.value() || sum.Len() != int64(size) {
					t.Errorf("combined %s of %d bytes, want %s of %d (seed %v)", sum.Value(), sum.Len(), whole.value(), size, seed[:2])
				}
			})
		}
	}
}

func BenchmarkDigest(b *testing.B) {
	data := make([]byte, 1<<20)
	for _, a := range []ChecksumAlgorithm{CRC32C, CRC32, CRC64NVME} {
		b.Run(string(a), func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			d := NewDigest(a)
			for b.Loop() {
				d.Write(data)
			}
		})
		b.Run(string(a)+" append", func(b *testing.B) {
			d, next := NewDigest(a), NewDigest(a)
			next.Write(data)
			for b.Loop() {
				d.Append(next)
			}
		})
	}
}
