package s3test

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
)

// chunkVerifier checks the chain of signatures of a body in signed chunks
// (https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html).
type chunkVerifier struct {
	key         []byte
	when, scope string
	trailers    bool   // the trailers are signed too
	previous    string // the last signature
	claimed     string // of the current chunk
	data        hash.Hash
}

func newChunkVerifier(key []byte, s *signature, trailers bool) *chunkVerifier {
	return &chunkVerifier{
		key: key, when: s.when.Format(timeV4), scope: s.scope,
		trailers: trailers, previous: s.value, data: sha256.New(),
	}
}

// begin starts a chunk.
func (v *chunkVerifier) begin(signature string) {
	v.claimed = signature
	v.data.Reset()
}

// write takes data of the chunk.
func (v *chunkVerifier) write(p []byte) { _, _ = v.data.Write(p) }

// end checks the chunk.
func (v *chunkVerifier) end() error {
	return v.check("AWS4-HMAC-SHA256-PAYLOAD", v.claimed, emptyHash(), hex.EncodeToString(v.data.Sum(nil)))
}

// endTrailer checks the trailers, given as lines of name:value.
func (v *chunkVerifier) endTrailer(trailer, claimed string) error {
	return v.check("AWS4-HMAC-SHA256-TRAILER", claimed, hex.EncodeToString(sha256Sum(trailer)))
}

func (v *chunkVerifier) check(algorithm, claimed string, hashes ...string) error {
	toSign := strings.Join(append([]string{algorithm, v.when, v.scope, v.previous}, hashes...), "\n")
	if !sameSignature(sign(v.key, toSign), claimed) {
		return errSignature("", toSign)
	}
	v.previous = claimed
	return nil
}
