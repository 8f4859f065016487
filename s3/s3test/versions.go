package s3test

import (
	"net/http"
	"slices"
	"strings"

	"github.com/s3mount/s3mount/s3"
)

// versionRow is one line of a listing of versions.
type versionRow struct {
	key    string
	object *object
	latest bool
}

// listVersions answers ListObjectVersions, without a delimiter
// (https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html).
func (c *call) listVersions() error {
	l, err := c.listing()
	if err != nil {
		return err
	}
	if l.delimiter != "" {
		return errNotImplemented("delimiter")
	}
	l.after = c.query.Get("key-marker")
	rows, more, err := c.versionPage(l, c.query.Get("version-id-marker"))
	if err != nil {
		return err
	}
	x := newXML("ListVersionsResult")
	c.listHead(x, l, more)
	x.text("KeyMarker", l.encode(l.after))
	x.text("VersionIdMarker", c.query.Get("version-id-marker"))
	if more {
		x.text("NextKeyMarker", l.encode(rows[len(rows)-1].key))
		x.text("NextVersionIdMarker", rows[len(rows)-1].object.versionID())
	}
	for _, r := range rows {
		name := "Version"
		if r.object.marker {
			name = "DeleteMarker"
		}
		x.in(name, func() { c.versionRow(x, l, r) })
	}
	x.end("ListVersionsResult")
	c.reply(http.StatusOK, x)
	return nil
}

// versionRow writes one version.
func (c *call) versionRow(x *xmlWriter, l listing, r versionRow) {
	x.text("Key", l.encode(r.key))
	x.text("VersionId", r.object.versionID())
	x.flag("IsLatest", r.latest)
	if !r.object.marker {
		c.listedObject(x, r.object, true)
		return
	}
	x.text("LastModified", xmlTime(r.object.modified))
	writeOwner(x, "Owner")
}

// versionPage takes a page of versions: by key, each key's newest first. It
// walks the objects and the history side by side.
func (c *call) versionPage(l listing, idMarker string) (rows []versionRow, more bool, err error) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	b, err := c.locate(c.bucket)
	if err != nil {
		return nil, false, err
	}
	limit := min(l.maxKeys, s3.MaxListKeys)
	objects, history := b.objects.Seek(max(l.prefix, l.after)), b.history.Seek(max(l.prefix, l.after))
	for {
		key, ok := smallerKey(objects, history)
		if !ok || !strings.HasPrefix(key, l.prefix) {
			return rows, false, nil
		}
		var versions []*object
		if objects.Valid() && objects.Key() == key {
			versions = []*object{objects.Value()}
			objects = objects.Next()
		}
		if history.Valid() && history.Key() == key {
			versions = history.Value()
			history = history.Next()
		}
		for _, o := range newestAfter(versions, key, l.after, idMarker) {
			if len(rows) == limit {
				return rows, true, nil
			}
			rows = append(rows, versionRow{key: key, object: o, latest: o == versions[len(versions)-1]})
		}
	}
}

// smallerKey is the smaller of the keys at two positions, false at the end of both.
func smallerKey(a position[*object], b position[[]*object]) (string, bool) {
	switch {
	case a.Valid() && b.Valid():
		return min(a.Key(), b.Key()), true
	case a.Valid():
		return a.Key(), true
	case b.Valid():
		return b.Key(), true
	}
	return "", false
}

// newestAfter is the versions newest first, without those up to the markers.
func newestAfter(versions []*object, key, keyMarker, idMarker string) []*object {
	out := slices.Clone(versions)
	slices.Reverse(out)
	if keyMarker == "" || key != keyMarker {
		return out
	}
	if idMarker == "" {
		return nil
	}
	i := slices.IndexFunc(out, func(o *object) bool { return o.versionID() == idMarker })
	return out[i+1:]
}
