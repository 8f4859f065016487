package s3test

import (
	"crypto/md5" //nolint:gosec // an S3 ETag is an MD5
	"encoding/hex"
	"fmt"
	"hash"
	"iter"
	"maps"
)

// The functions below reach the buckets without a request; they neither
// count nor obey Deny and Faults.

// newMD5 is the hash of ETags.
func newMD5() hash.Hash { return md5.New() } //nolint:gosec // an S3 ETag is an MD5

// CreateBucket makes an empty bucket. It returns false if there is one of this name.
func (s *Server) CreateBucket(name string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.buckets[name]; ok {
		return false
	}
	b := &bucket{name: name, created: s.now(), region: s.opts.Region, uploads: map[string]*upload{}}
	if s.opts.Versioning {
		b.versioning = versioningEnabled
	}
	s.buckets[name] = b
	return true
}

// SetVersioning enables versioning in a bucket, or suspends it.
func (s *Server) SetVersioning(bucket string, enabled bool) {
	state := versioningSuspended
	if enabled {
		state = versioningEnabled
	}
	s.must(s.setVersioning(bucket, state))
}

// PutObject stores an object and returns its ETag with the quotes. The
// server keeps body, which must not change any more.
func (s *Server) PutObject(bucket, key string, body []byte, metadata map[string]string) string {
	return s.putContent(bucket, key, newContent(body), metadata)
}

// PutRepeated stores an object of any size whose content repeats pattern. It takes no
// more memory than pattern. The ETag has the form of a multipart upload.
func (s *Server) PutRepeated(bucket, key string, pattern []byte, size int64, metadata map[string]string) string {
	c := repeated(pattern, size)
	sum := md5.Sum(fmt.Appendf(nil, "%d %x", size, md5.Sum(pattern))) //nolint:gosec // an S3 ETag is an MD5
	o := &object{
		content: c, etag: hex.EncodeToString(sum[:]) + "-1", parts: []int64{size},
		props: &properties{meta: maps.Clone(metadata)},
	}
	return s.putStamped(bucket, key, o)
}

// putContent stores c with the ETag of a plain PUT.
func (s *Server) putContent(bucket, key string, c content, metadata map[string]string) string {
	return s.putStamped(bucket, key, &object{
		content: c, etag: c.md5Hex(), props: &properties{meta: maps.Clone(metadata)},
	})
}

func (s *Server) putStamped(bucket, key string, o *object) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.locate(bucket)
	s.must(err)
	s.stamp(b, o)
	b.put(key, o)
	return `"` + o.etag + `"`
}

// Seed stores the same object under many keys. It takes little more memory
// than the keys, and is quickest when they come in order.
func (s *Server) Seed(bucket string, keys iter.Seq[string], body []byte, metadata map[string]string) {
	c := newContent(body)
	o := &object{content: c, etag: c.md5Hex(), props: &properties{meta: maps.Clone(metadata)}}
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.locate(bucket)
	s.must(err)
	s.stamp(b, o)
	for key := range keys {
		b.put(key, o)
	}
}

// SeedN stores n objects with the same body under fmt.Sprintf(format, i) for i from 0.
func (s *Server) SeedN(bucket, format string, n int, body []byte) {
	s.Seed(bucket, func(yield func(string) bool) {
		for i := range n {
			if !yield(fmt.Sprintf(format, i)) {
				return
			}
		}
	}, body, nil)
}

// Object returns a copy of an object's bytes and its user metadata.
func (s *Server) Object(bucket, key string) (body []byte, metadata map[string]string, ok bool) {
	o, ok := s.current(bucket, key)
	if !ok {
		return nil, nil, false
	}
	return o.content.bytes(), maps.Clone(o.props.meta), true
}

// ETag returns an object's ETag with the quotes, "" if there is no object.
func (s *Server) ETag(bucket, key string) string {
	o, ok := s.current(bucket, key)
	if !ok {
		return ""
	}
	return `"` + o.etag + `"`
}

// current is the visible object under key.
func (s *Server) current(bucket, key string) (*object, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.locate(bucket)
	s.must(err)
	return b.objects.Get(key)
}

// RemoveObject deletes an object as a DELETE request does.
func (s *Server) RemoveObject(bucket, key string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.locate(bucket)
	s.must(err)
	marker := &object{marker: true, props: &properties{}}
	s.stamp(b, marker)
	b.remove(key, marker)
}

// Keys returns all keys of a bucket in order.
func (s *Server) Keys(bucket string) []string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.locate(bucket)
	s.must(err)
	keys := make([]string, 0, b.objects.Len())
	for p := b.objects.Seek(""); p.Valid(); p = p.Next() {
		keys = append(keys, p.Key())
	}
	return keys
}

// Uploads is the number of unfinished multipart uploads in a bucket.
func (s *Server) Uploads(bucket string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	b, err := s.locate(bucket)
	s.must(err)
	return len(b.uploads)
}

// must panics: a bucket that does not exist is a mistake in the test.
func (s *Server) must(err error) {
	if err != nil {
		panic("s3test: " + err.Error())
	}
}
