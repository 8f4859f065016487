package namespace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/s3mount/s3mount/fs/attrs"
	"github.com/s3mount/s3mount/fs/entry"
	"github.com/s3mount/s3mount/fs/listing"
	"github.com/s3mount/s3mount/s3"
)

// name is what a name of a directory stands for.
type name struct {
	dir  string // prefix
	rel  string // of the file; the directory's has "/" behind
	form form
}

func (nm name) key() string { return nm.dir + nm.rel }

// resolve finds the keys of a name. form is formNone if there can be none.
func (n *Namespace) resolve(dir Entry, text string) name {
	base, stem := n.keys.Stem(dir)
	seg, f := decode(text)
	nm := name{dir: base, rel: stem + seg, form: f}
	switch {
	case f == formNone, f == formCont && len(seg) == 0:
		nm.form = formNone
	case f == formCont, stem == "":
	default: // in a continuation: only what is too long for the plain directory
		isDir := f == formDir
		got, _, _ := chain(nm.rel, stem, isDir, isDir && !isDots(seg))
		if got != text {
			nm.form = formNone
		}
	}
	return nm
}

// file and directory report which kinds the name can stand for.
func (nm name) file() bool      { return nm.form == formPlain || nm.form == formFile }
func (nm name) directory() bool { return nm.form == formPlain || nm.form == formDir }

// Lookup finds a name in a directory. It is answered from a fresh listing or
// from what is known of the key; otherwise a HEAD asks for a file and, if
// there is none, a LIST for a directory. Names that are asked for one after
// the other are answered by listings instead. The error is s3.ErrNotFound if
// the name is known to be absent.
func (n *Namespace) Lookup(ctx context.Context, dir Entry, text string) (Entry, error) {
	nm := n.resolve(dir, text)
	if nm.form == formNone || n.keys.IsReserved(nm.dir, nm.rel+"/") && nm.directory() && !nm.file() {
		return Entry{}, fmt.Errorf("lookup %q: %w", text, s3.ErrNotFound)
	}
	if nm.form == formCont {
		return n.lookupCont(ctx, dir, nm)
	}
	if e, ok := n.lookupPending(nm); ok {
		n.hits.Add(1)
		return e, nil
	}
	e, k := n.lookupKnown(nm)
	if k == listing.Unknown {
		n.misses.Add(1)
		var err error
		if e, err = n.lookupStore(ctx, nm); err != nil {
			return Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), err)
		}
		return e, nil
	}
	n.hits.Add(1)
	n.walks.Hit(nm.dir)
	if k == listing.Absent {
		return Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), s3.ErrNotFound)
	}
	return n.completeEntry(ctx, e)
}

// lookupPending finds a file that is not yet in S3.
func (n *Namespace) lookupPending(nm name) (Entry, bool) {
	if !nm.file() {
		return Entry{}, false
	}
	p := n.pending.get(nm.dir, nm.rel)
	if p == nil {
		return Entry{}, false
	}
	return p.PendingEntry(), true
}

// lookupKnown finds a name in the caches.
func (n *Namespace) lookupKnown(nm name) (Entry, listing.Knowledge) {
	n.mu.Lock()
	defer n.mu.Unlock()
	fe, file := n.find(nm.dir, nm.rel)
	if nm.rel == "" && file == listing.Present && fe.Size == 0 {
		file = listing.Absent // the marker is no file
	}
	if n.pending.get(nm.dir, nm.rel) != nil {
		file = listing.Present
	}
	if nm.form == formFile || nm.form == formPlain && file != listing.Absent {
		return fe, file
	}
	de, sub := n.find(nm.dir, nm.rel+"/")
	if n.keys.IsReserved(nm.dir, nm.rel+"/") {
		return Entry{}, listing.Absent
	}
	if sub == listing.Unknown && n.pending.below(nm.dir+nm.rel+"/") {
		return Entry{Key: nm.key() + "/", Kind: Directory, Implicit: true, Attr: n.defaults.Attr(Directory, time.Time{})}, listing.Present
	}
	if nm.form == formDir && !isDots(baseName(nm.rel)) {
		// The name is that of a directory only where an object holds the plain one.
		switch {
		case sub == listing.Absent || file == listing.Absent:
			return Entry{}, listing.Absent
		case sub == listing.Unknown || file == listing.Unknown:
			return Entry{}, listing.Unknown
		}
	}
	return de, sub
}

func baseName(rel string) string { return rel[strings.LastIndexByte(rel, '/')+1:] }

// lookupStore asks S3 for a name of which nothing is known.
func (n *Namespace) lookupStore(ctx context.Context, nm name) (Entry, error) {
	// Who may not list may still read: then each name is asked for itself.
	if ok, err := n.lookupByListing(ctx, nm); err != nil && !errors.Is(err, s3.ErrForbidden) {
		return Entry{}, err
	} else if ok {
		switch e, k := n.lookupKnown(nm); {
		case k == listing.Absent:
			return Entry{}, s3.ErrNotFound
		case k == listing.Present:
			return n.completeEntry(ctx, e)
		}
	}
	file, err := n.askFile(ctx, nm)
	switch {
	case err != nil && !errors.Is(err, s3.ErrNotFound):
		return Entry{}, err
	case nm.form == formFile:
		return file, err
	case nm.form == formPlain && err == nil:
		return file, nil
	case nm.form == formDir && err != nil && !isDots(baseName(nm.rel)):
		return Entry{}, err
	}
	n.mu.Lock()
	e, k := n.find(nm.dir, nm.rel+"/")
	n.mu.Unlock()
	switch {
	case k == listing.Absent:
		return Entry{}, s3.ErrNotFound
	case k == listing.Present:
		return n.completeEntry(ctx, e)
	}
	return n.probeDir(ctx, nm.key()+"/")
}

// askFile finds a file by what is known, or by a HEAD.
func (n *Namespace) askFile(ctx context.Context, nm name) (Entry, error) {
	if nm.rel == "" && nm.form != formFile {
		return Entry{}, s3.ErrNotFound // the marker is no file
	}
	n.mu.Lock()
	e, k := n.find(nm.dir, nm.rel)
	n.mu.Unlock()
	switch {
	case k == listing.Absent, k == listing.Present && nm.rel == "" && e.Size == 0:
		return Entry{}, s3.ErrNotFound
	case k == listing.Present:
		return n.completeEntry(ctx, e)
	}
	got, err := n.head(ctx, nm.key(), false)
	if err == nil && got.Kind == Directory {
		return Entry{}, s3.ErrNotFound
	}
	return got, err
}

// head asks for one object and notes the answer. isDir says that it is asked
// for as the marker of a directory: then a 404 tells nothing of the directory.
func (n *Namespace) head(ctx context.Context, key string, isDir bool) (Entry, error) {
	answer := n.known.Begin(key)
	info, err := n.store.Head(ctx, &s3.HeadInput{Bucket: n.o.Bucket, Key: key})
	if err != nil {
		if isAbsent(err) && !isDir {
			n.learn(answer, entry.Change{Entry: Entry{Key: key}, Gone: true})
		} else {
			answer.Drop()
		}
		return Entry{}, err
	}
	info.Key = key
	e := n.FromInfo(info)
	if isDir && e.Kind != Directory {
		answer.Drop() // data under the key of a directory is no marker
		return Entry{}, s3.ErrNotFound
	}
	if n.learn(answer, entry.Change{Entry: e, Seen: true}) {
		n.Remember(e, info.Options())
	}
	return e, nil
}

// learn takes in the answer to a request for one key. It reports whether the answer is
// current: this mount has not changed the key meanwhile.
func (n *Namespace) learn(answer *listing.Answer, c entry.Change) (current bool) {
	if !c.Seen {
		n.recent.Delete(c.Entry.Key)
	}
	known, current := answer.Learn(c)
	if current {
		n.index.Note(known)
	}
	return current
}

// probeDir finds a directory by one LIST of one key, and reads its attributes
// if it has a marker.
func (n *Namespace) probeDir(ctx context.Context, key string) (Entry, error) {
	answer := n.known.Begin(key)
	got, err := n.fetcher.Ls(ctx, listing.Stretch{Dir: key, Max: 1})
	if err != nil {
		answer.Drop()
		return Entry{}, err
	}
	if len(got.Objects) == 0 {
		n.learn(answer, entry.Change{Entry: Entry{Key: key, Kind: Directory}, Gone: true})
		return Entry{}, s3.ErrNotFound
	}
	e := Entry{Key: key, Kind: Directory, Implicit: true}
	if o := got.Objects[0]; o.Key == key && o.Size == 0 {
		e.Implicit, e.ETag, e.LastModified = false, o.ETag, o.LastModified
	}
	e.Attr = n.defaults.Attr(Directory, e.LastModified)
	n.learn(answer, entry.Change{Entry: e})
	if e.Implicit || n.o.Posix == PosixOff {
		return e, nil
	}
	return n.headDir(ctx, e)
}

// headDir reads the attributes of a directory from its marker.
func (n *Namespace) headDir(ctx context.Context, e Entry) (Entry, error) {
	got, err := n.head(ctx, e.Key, true)
	if errors.Is(err, s3.ErrNotFound) {
		return e, nil // the marker went meanwhile; what is below keeps the directory
	}
	return got, err
}

// lookupCont finds the directory of all names that begin with a part of a segment.
func (n *Namespace) lookupCont(ctx context.Context, dir Entry, nm name) (Entry, error) {
	e := n.contEntry(nm.key())
	l := n.OpenDir(e)
	defer l.Close()
	_, ok, err := l.Next(ctx)
	if err != nil {
		return Entry{}, err
	}
	if !ok {
		return Entry{}, fmt.Errorf("lookup %q: %w", nm.key(), s3.ErrNotFound)
	}
	return e, nil
}

// Stat asks S3 for the present state of an entry. The error is s3.ErrNotFound
// if it is gone.
func (n *Namespace) Stat(ctx context.Context, e Entry) (Entry, error) {
	base, stem := n.keys.Stem(e)
	switch {
	case e.Kind != Directory:
		got, err := n.head(ctx, e.Key, false)
		if err != nil {
			return Entry{}, fmt.Errorf("stat %q: %w", e.Key, err)
		}
		return got, nil
	case stem != "":
		return n.lookupCont(ctx, e, name{dir: base, rel: stem, form: formCont})
	case e.Key == n.o.Prefix:
		return n.statRoot(ctx)
	}
	if n.o.Posix != PosixOff && !e.Implicit {
		got, err := n.head(ctx, e.Key, true)
		if err == nil {
			return got, nil
		}
		if !errors.Is(err, s3.ErrNotFound) {
			return Entry{}, fmt.Errorf("stat %q: %w", e.Key, err)
		}
	}
	got, err := n.probeDir(ctx, e.Key)
	if err != nil {
		return Entry{}, fmt.Errorf("stat %q: %w", e.Key, err)
	}
	return got, nil
}

// statRoot reads the attributes of the root, which exists in any case.
func (n *Namespace) statRoot(ctx context.Context) (Entry, error) {
	if n.o.Prefix == "" || n.o.Posix == PosixOff {
		return n.Root(), nil
	}
	e, err := n.head(ctx, n.o.Prefix, true)
	if errors.Is(err, s3.ErrNotFound) {
		return n.Root(), nil
	}
	if err != nil {
		return Entry{}, fmt.Errorf("stat %q: %w", n.o.Prefix, err)
	}
	n.mu.Lock()
	n.root = e
	n.mu.Unlock()
	return e, nil
}

// FromInfo makes the entry of an object out of what a HEAD or GET told.
func (n *Namespace) FromInfo(info *s3.ObjectInfo) Entry {
	e := Entry{
		Key: info.Key, Size: info.Size, ETag: info.ETag, LastModified: info.LastModified,
		VersionID: info.VersionID, Exact: true,
	}
	if strings.HasSuffix(info.Key, "/") && info.Size == 0 {
		e.Kind = Directory
	}
	def := n.defaults.Attr(e.Kind, info.LastModified)
	if n.o.Posix == PosixOff {
		e.Attr = def
		return e
	}
	kind, attr, found := attrs.FromMetadata(info.Metadata, def, info.LastModified)
	e.Attr = attr
	if !found {
		e.Attr = def
	}
	if found && e.Kind != Directory && kind != Directory {
		e.Kind = kind
	}
	return e
}

// Observe takes in what a GET or HEAD told of a key.
func (n *Namespace) Observe(e Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	dir, rel := n.keys.SplitFile(e.Key)
	n.index.Note(n.known.Saw(e, n.pending.get(dir, rel) != nil))
}

// Committed takes in a version that this mount has just written: it is
// believed longer than one of another writer.
func (n *Namespace) Committed(e Entry) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.note(entry.Change{Entry: e, Own: true})
}

// TTL returns how long the kernel may believe an entry.
func (n *Namespace) TTL(e Entry) time.Duration { return n.known.TTL(e) }

// NegativeTTL returns how long the kernel may believe that a name is absent from a
// directory.
func (n *Namespace) NegativeTTL(dir Entry) time.Duration {
	base, _ := n.keys.Stem(dir)
	return n.known.NegativeTTL(base)
}
