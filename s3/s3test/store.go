package s3test

import (
	"slices"
	"strings"
	"time"
)

// object is one version of an object. It is immutable once it is stored, so
// that many keys may share it.
type object struct {
	content  content
	etag     string // without quotes
	modified time.Time
	version  string // "" in a bucket that never had versioning
	marker   bool   // a delete marker
	props    *properties
	checksum checksum
	parts    []int64 // end offset of each part of a multipart object

	restoring   bool      // a restore is under way
	restoreDays int       // how long the restored copy is to stay
	restored    time.Time // when the restored copy ends; zero if there is none
}

// properties are the properties of an object that its writer sets.
type properties struct {
	header       map[string]string // content headers under their canonical names
	meta         map[string]string // user metadata, names in lower case
	storageClass string            // "" is STANDARD
	tags         map[string]string
	sse          map[string]string // response headers that describe the encryption
	customerMD5  string            // of the SSE-C key; "" is none
}

// bucket holds the objects of one bucket. All of it is guarded by Server.mu.
type bucket struct {
	name    string
	created time.Time
	region  string
	// versioning is "", "Enabled" or "Suspended".
	versioning string
	objects    sortedMap[*object] // the current versions
	// history holds every version of the keys that were written since versioning was enabled, oldest first.
	history sortedMap[[]*object]
	uploads map[string]*upload
}

// put makes o the current version of key.
func (b *bucket) put(key string, o *object) {
	old, replaced := b.objects.Set(key, o)
	if b.versioning == "" {
		return
	}
	versions, _ := b.history.Get(key)
	if len(versions) == 0 && replaced {
		versions = []*object{old}
	}
	b.history.Set(key, addVersion(versions, o))
}

// addVersion appends o; the null version exists once.
func addVersion(versions []*object, o *object) []*object {
	versions = slices.Clone(versions)
	if o.versionID() == nullVersion {
		versions = slices.DeleteFunc(versions, func(v *object) bool { return v.versionID() == nullVersion })
	}
	return append(versions, o)
}

// nullVersion names the version that was written without versioning.
const nullVersion = "null"

// versionID is how requests and answers name this version.
func (o *object) versionID() string {
	if o.version == "" {
		return nullVersion
	}
	return o.version
}

// find returns the object, or one version of it.
func (b *bucket) find(key, version string) (*object, error) {
	if version == "" {
		if o, ok := b.objects.Get(key); ok {
			return o, nil
		}
		if versions, _ := b.history.Get(key); len(versions) > 0 { // the newest is a delete marker
			return nil, errNoSuchKey(key).withHeader("x-amz-delete-marker", "true").
				withHeader("x-amz-version-id", versions[len(versions)-1].versionID())
		}
		return nil, errNoSuchKey(key)
	}
	versions, ok := b.history.Get(key)
	if !ok {
		if o, found := b.objects.Get(key); found && o.versionID() == version {
			return o, nil
		}
		return nil, errNoSuchVersion(key, version)
	}
	i := slices.IndexFunc(versions, func(o *object) bool { return o.versionID() == version })
	if i < 0 {
		return nil, errNoSuchVersion(key, version)
	}
	if versions[i].marker {
		return nil, errMethodNotAllowed("GET").withHeader("x-amz-delete-marker", "true").
			withHeader("x-amz-version-id", version)
	}
	return versions[i], nil
}

// remove deletes key: the bytes, or with versioning by a delete marker, which it returns.
func (b *bucket) remove(key string, marker *object) *object {
	if b.versioning == "" {
		b.objects.Delete(key)
		return nil
	}
	old, had := b.objects.Delete(key)
	versions, _ := b.history.Get(key)
	if len(versions) == 0 && had {
		versions = []*object{old}
	}
	b.history.Set(key, addVersion(versions, marker))
	return marker
}

// removeVersion deletes one version for good and returns it, nil if there was none.
func (b *bucket) removeVersion(key, version string) *object {
	versions, tracked := b.history.Get(key)
	if !tracked {
		o, ok := b.objects.Get(key)
		if !ok || o.versionID() != version {
			return nil
		}
		b.objects.Delete(key)
		return o
	}
	i := slices.IndexFunc(versions, func(o *object) bool { return o.versionID() == version })
	if i < 0 {
		return nil
	}
	gone := versions[i]
	versions = slices.Delete(slices.Clone(versions), i, i+1)
	b.objects.Delete(key)
	if len(versions) == 0 {
		b.history.Delete(key)
		return gone
	}
	b.history.Set(key, versions)
	if last := versions[len(versions)-1]; !last.marker {
		b.objects.Set(key, last)
	}
	return gone
}

// row is one line of a listing: an object, or a common prefix (object is nil).
type row struct {
	key    string
	object *object
}

// list returns at most limit rows after the given name, and whether more follow. after
// may be a common prefix of an earlier page. The cost depends only on the number of
// rows, because list seeks past a common prefix.
func (b *bucket) list(prefix, delimiter, after string, limit int) (rows []row, more bool) {
	p := b.objects.Seek(prefix)
	if after >= prefix && after != "" {
		p = b.after(after, prefix, delimiter)
	}
	for p.Valid() && strings.HasPrefix(p.Key(), prefix) {
		if len(rows) == limit {
			return rows, true
		}
		key := p.Key()
		common, isCommon := commonPrefix(key, prefix, delimiter)
		if !isCommon {
			rows = append(rows, row{key: key, object: p.Value()})
			p = p.Next()
			continue
		}
		rows = append(rows, row{key: common})
		end, ok := prefixEnd(common)
		if !ok {
			return rows, false
		}
		p = b.objects.Seek(end)
	}
	return rows, false
}

// after is the position where a listing goes on after a key or a common prefix.
func (b *bucket) after(after, prefix, delimiter string) position[*object] {
	common, ok := commonPrefix(after, prefix, delimiter)
	if !ok || common != after {
		return b.objects.SeekAfter(after)
	}
	end, ok := prefixEnd(common)
	if !ok {
		return position[*object]{m: &b.objects, leaf: len(b.objects.leaves)}
	}
	return b.objects.Seek(end)
}

// commonPrefix returns the common prefix of key, if it has one.
func commonPrefix(key, prefix, delimiter string) (string, bool) {
	if delimiter == "" || !strings.HasPrefix(key, prefix) {
		return "", false
	}
	i := strings.Index(key[len(prefix):], delimiter)
	if i < 0 {
		return "", false
	}
	return key[:len(prefix)+i+len(delimiter)], true
}
