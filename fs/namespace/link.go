package namespace

import (
	"context"
	"strconv"
	"strings"
)

// metaLink is the user metadata of an object that is one of several names of a
// file: the id of the group and the number of its version.
const metaLink = "s3mount-link"

// Link says which group of hard links a name belongs to.
type Link struct {
	// ID is that of the group.
	ID string
	// Gen counts the versions of the file. Names with the same one hold the same
	// bytes and attributes; of two that differ the higher is right.
	Gen uint64
	// Count is how many names the group has, as far as is known. 0: it is not
	// known whether the name is one of them, see Verify.
	Count int
}

// token is the value of metaLink.
func (l Link) token() string { return l.ID + "/" + strconv.FormatUint(l.Gen, 10) }

// maxLinkID bounds the id in bytes, which becomes a part of a key; ours have 26.
const maxLinkID = 64

// parseLink reads a token; nil if it is none.
func parseLink(token string) *Link {
	id, gen, _ := strings.Cut(token, "/")
	g, err := strconv.ParseUint(gen, 10, 64)
	if err != nil || id == "" || len(id) > maxLinkID || strings.ContainsFunc(id, notAlphanumeric) {
		return nil
	}
	return &Link{ID: id, Gen: g}
}

// row is what an index holds of l.
func (l *Link) row() string { return l.token() + "/" + strconv.Itoa(l.Count) }

// parseRow is the inverse of row.
func parseRow(s string) *Link {
	i := strings.LastIndexByte(s, '/')
	l := parseLink(s[:max(i, 0)])
	count, err := strconv.ParseUint(s[i+1:], 10, 31)
	if l == nil || err != nil || count < 2 {
		return nil
	}
	return l.With(int(count))
}

func notAlphanumeric(r rune) bool { return r > 'z' || !isAlphanumeric(byte(r)) }

// LinkFromMetadata returns the group that user metadata names, or nil.
func LinkFromMetadata(m map[string]string) *Link { return parseLink(m[metaLink]) }

// SetLink makes user metadata name the group of l, or none if l is nil.
func SetLink(m map[string]string, l *Link) {
	delete(m, metaLink)
	if l != nil {
		m[metaLink] = l.token()
	}
}

// Next is the group with the number of the version that comes after l's.
func (l *Link) Next() *Link {
	next := *l
	next.Gen++
	return &next
}

// With is l as a group of so many names; a single name is no group.
func (l *Link) With(count int) *Link {
	if count < 2 {
		return nil
	}
	with := *l
	with.Count = count
	return &with
}

// sameGroup reports whether two entries are names of one group.
func sameGroup(a, b *Link) bool { return a != nil && b != nil && a.ID == b.ID }

// SameFile reports whether a and b may be two names of one file: they are of
// one group, and if of the same version then they hold the same bytes. A tool
// that writes an object and keeps its metadata leaves the group by that.
func SameFile(a, b Entry) bool {
	if !sameGroup(a.Link, b.Link) || a.Kind != b.Kind {
		return false
	}
	return a.Link.Gen != b.Link.Gen || a.Size == b.Size && sameSum(a.ETag, b.ETag)
}

// sameSum compares ETags, where they can be compared: of two that are an MD5.
// The copy of an object that was uploaded in parts has another kind of ETag.
func sameSum(a, b string) bool {
	_, partsA, okA := splitETag(a)
	_, partsB, okB := splitETag(b)
	return a == b || !okA || !okB || partsA > 0 || partsB > 0
}

// Verify finds out whether a name whose object carries the mark of a group
// belongs to it: a copy that another tool made has the mark, too. The Link of
// what comes back has a Count, or is nil. Anything else costs nothing.
func (n *Namespace) Verify(ctx context.Context, e Entry) (Entry, error) {
	if e.Link == nil || e.Link.Count > 0 {
		return e, nil
	}
	g, err := n.Links(ctx, e.Link.ID)
	if err == nil && !g.Has(e.Key) && n.now().Sub(g.read) > minTrust {
		g, err = n.readLinks(ctx, e.Link.ID) // another mount may have made the name since
	}
	if err != nil {
		return Entry{}, err
	}
	e.Link = g.linkOf(e)
	n.Observe(e)
	return e, nil
}

// recountOf is recount for callers that do not hold n.mu.
func (n *Namespace) recountOf(e *Entry) {
	if e.Link == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.recount(e)
}

// recount corrects what an entry tells of its group by the record, where it is
// held. n.mu is held.
func (n *Namespace) recount(e *Entry) {
	if e.Link == nil {
		return
	}
	k, ok := n.links.Get(e.Link.ID)
	switch {
	case !ok:
	case k.Value.Has(e.Key):
		e.Link = k.Value.linkOf(*e)
	default:
		e.Link = &Link{ID: e.Link.ID, Gen: e.Link.Gen}
	}
}
