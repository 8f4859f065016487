package fs

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/s3mount/s3mount/s3"
)

const (
	// permittedFor is how long the mount expects S3 to accept changes like those that
	// it has accepted. Copy tools set the attributes of a file within that time after
	// writing it.
	permittedFor = 10 * time.Second
	// maxPermitted bounds the recorded names. They take 1 MB.
	maxPermitted = 10_000
)

// permitted records which changes of attributes S3 is expected to accept: changes of
// objects that this mount has just written, and changes in directories in which S3 has
// just accepted one. All other changes wait for S3, so that the program gets the error
// of a missing permission. After a refusal all changes in the directory wait for a
// while.
type permitted struct {
	mu      sync.Mutex
	written map[string]time.Time // when this mount wrote an object, by its key
	changed map[string]time.Time // when S3 accepted new attributes, by the prefix of the directory
	refused map[string]time.Time // when S3 refused new attributes, likewise
}

// dirOf returns the prefix of the directory that a key is in. A marker is in its own.
func dirOf(key string) string { return key[:strings.LastIndexByte(key, '/')+1] }

// wrote records that S3 has accepted an object of this mount.
func (p *permitted) wrote(key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	note(&p.written, key)
}

// changedAttrs records the answer of S3 to a change of attributes.
func (p *permitted) changedAttrs(key string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := dirOf(key)
	switch {
	case err == nil:
		note(&p.changed, dir)
	case errors.Is(err, s3.ErrForbidden):
		note(&p.refused, dir)
	}
}

// note sets the time of a name to now.
func note(m *map[string]time.Time, name string) {
	if *m == nil || len(*m) >= maxPermitted {
		*m = map[string]time.Time{}
	}
	(*m)[name] = time.Now()
}

// has reports whether S3 is expected to accept new attributes of an object.
func (p *permitted) has(key string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	dir := dirOf(key)
	return !isRecent(p.refused[dir]) && (isRecent(p.written[key]) || isRecent(p.changed[dir]))
}

// isRecent reports whether t is within permittedFor.
func isRecent(t time.Time) bool { return time.Since(t) < permittedFor }
