package fs

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

const (
	// permittedFor is how long S3 is expected to go on accepting writes. A copy tool
	// sets the attributes of a file within that time after it has written the file.
	permittedFor = 10 * time.Second
	// maxPermitted bounds the directories that are remembered: 1 MB.
	maxPermitted = 10_000
)

// permitted remembers the directories in which S3 has lately accepted a write of this
// mount. A change of attributes waits for S3 only elsewhere, so that the program hears
// of a missing permission.
type permitted struct {
	mu   sync.Mutex
	dirs map[string]time.Time // by the prefix of the keys
}

// dirOf returns the prefix of the directory that a key is in. A marker is in its own.
func dirOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// learn takes in how S3 answered a write under a key.
func (p *permitted) learn(key string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := dirOf(key)
	switch {
	case errors.Is(err, s3.ErrForbidden):
		delete(p.dirs, dir)
	case err == nil:
		if p.dirs == nil || len(p.dirs) >= maxPermitted {
			p.dirs = map[string]time.Time{}
		}
		p.dirs[dir] = time.Now()
	}
}

// has reports whether S3 is expected to accept a write under a key.
func (p *permitted) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	when, ok := p.dirs[dirOf(key)]
	return ok && time.Since(when) < permittedFor
}
